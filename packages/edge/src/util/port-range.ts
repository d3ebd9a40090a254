// Ranges of ports, as the configuration and the users file write them.

/** Ports from `first` to `last`, both included. */
export interface PortRange {
  readonly first: number;
  readonly last: number;
}

/** Reads `20000` or `20000-20009`. @returns undefined for anything else */
export function parsePortRange(text: string): PortRange | undefined {
  const match = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(text);
  const first = Number(match?.[1]);
  const last = Number(match?.[2] ?? match?.[1]);
  return match && first >= 1 && last <= 65_535 && first <= last
    ? { first, last }
    : undefined;
}

/** Gives ports back as ranges: `20000-20009,20100`. */
export function formatPorts(ports: readonly number[]): string {
  const sorted = [...new Set(ports)].sort((a, b) => a - b);
  const ranges: PortRange[] = [];
  for (const port of sorted) {
    const last = ranges.at(-1);
    if (last?.last === port - 1)
      ranges[ranges.length - 1] = { ...last, last: port };
    else ranges.push({ first: port, last: port });
  }
  return ranges
    .map(({ first, last }) =>
      first === last ? `${first}` : `${first}-${last}`,
    )
    .join(",");
}
