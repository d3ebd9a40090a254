// What each part of a set-up costs while something is measured.
import type { Roles } from "../model.ts";
import { cpuSeconds, memoryMib, processTree } from "./processes.ts";

/** Costs of each role. */
export interface RoleCosts {
  /** CPU seconds between start and stop. */
  readonly cpu: Record<string, number>;
  /** At the end. */
  readonly rssMib: Record<string, number>;
}

/** Looks at the clocks of all roles; the function that it returns looks again. */
export function startCosts(roles: Roles): () => RoleCosts {
  const before = snapshot(roles);
  return () => {
    const after = snapshot(roles);
    const cpu: Record<string, number> = {};
    const rssMib: Record<string, number> = {};
    for (const [role, { seconds, pids }] of Object.entries(after)) {
      cpu[role] = Math.max(0, seconds - (before[role]?.seconds ?? 0));
      rssMib[role] = memoryMib(pids).rss;
    }
    return { cpu, rssMib };
  };
}

// A process that a role names is that role's, whoever started it; all other children are their parents'.
function snapshot(
  roles: Roles,
): Record<string, { seconds: number; pids: readonly number[] }> {
  const named = Object.entries(roles).map(
    ([role, list]) => [role, list()] as const,
  );
  return Object.fromEntries(
    named.map(([role, own]) => {
      const elsewhere = new Set(
        named.flatMap(([other, pids]) => (other === role ? [] : pids)),
      );
      const pids = processTree(own).filter((pid) => !elsewhere.has(pid));
      return [role, { seconds: cpuSeconds(pids), pids }];
    }),
  );
}
