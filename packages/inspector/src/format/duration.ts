// Durations for a table: few characters, no more digits than a person reads.

/** Writes milliseconds: `0.4 ms`, `24 ms`, `1.3 s`, `4 min 10 s`, `2 h 5 min`. */
export function formatDuration(ms: number): string {
  if (ms < 9.95) return `${ms.toFixed(1)} ms`;
  if (ms < 999.5) return `${Math.round(ms)} ms`;
  if (ms < 59_950) return `${(ms / 1_000).toFixed(ms < 9_950 ? 2 : 1)} s`;
  const minutes = Math.floor(Math.round(ms / 1_000) / 60);
  if (minutes < 60) return `${minutes} min ${Math.round(ms / 1_000) % 60} s`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
