// What an open tunnel that nobody uses costs in memory.
import { setTimeout as sleep } from "node:timers/promises";
import { waitUntilServed } from "../load/ask.ts";
import { startOrigin } from "../load/origin.ts";
import { usedHeap } from "../measure/heap.ts";
import { memoryMib, processTree } from "../measure/processes.ts";
import type { Roles, Server, Workload } from "../model.ts";

const TUNNELS = 100;
const SETTLE_MS = 3_000;

/** Proportional set size on the server, which does not count twice what processes share, for each of 100 tunnels. */
export const memory: Workload = {
  name: "memory",
  about: `memory on the server for each of ${TUNNELS} idle tunnels, each on an SSH connection of its own (PSS)`,
  unit: "KiB",
  better: "less",
  setups: ["ssh-N", "ssh", "embedded", "openssh"],
  rounds: 3,
  start: async (setup, world) => ({
    close: async () => {},
    async sample() {
      const origin = await startOrigin("static", world.laptop);
      const server = await setup.open(world);
      try {
        if (!server.connectMany)
          throw new Error(`${setup.name} has no many tunnels`);
        // One tunnel and one request first: what every server has once is not what a tunnel costs.
        const first = await server.connect(origin.port, "first");
        await waitUntilServed(first.target);
        const before = await measure(server.roles);
        const many = await server.connectMany(origin.port, TUNNELS, "a");
        for (const target of many.targets ?? []) await waitUntilServed(target);
        const after = await measure(server.roles);
        const client = memoryMib(processTree(many.pids()));
        const heap = await measureHeap(server, origin.port);
        await many.close();
        await first.close();
        const each = (key: string): number =>
          ((after[key]! - before[key]!) * 1024) / TUNNELS;
        const roles = Object.keys(server.roles);
        return {
          value: roles.reduce((sum, role) => sum + each(`${role} PSS`), 0),
          detail: {
            ...Object.fromEntries(
              roles.map((role) => [`${role} RSS KiB`, each(`${role} RSS`)]),
            ),
            ...(heap !== undefined && { "edge heap KiB": heap }),
            "edge and sshd in all MiB": roles.reduce(
              (sum, role) => sum + after[`${role} PSS`]!,
              0,
            ),
            "clients in all MiB": client.pss,
          },
        };
      } finally {
        await server.close();
        await origin.close();
      }
    },
  }),
};

async function measure(roles: Roles): Promise<Record<string, number>> {
  await sleep(SETTLE_MS);
  return Object.fromEntries(
    Object.entries(roles).flatMap(([role, list]) => {
      const { rss, pss } = memoryMib(processTree(list()));
      return [
        [`${role} RSS`, rss],
        [`${role} PSS`, pss],
      ];
    }),
  );
}

// KiB on the edge's heap for each of as many tunnels again: what a program compiles when it becomes busy is not what a
// tunnel costs.
async function measureHeap(
  server: Server,
  port: number,
): Promise<number | undefined> {
  const edge = server.roles["edge"]?.()[0];
  if (edge === undefined) return undefined;
  const before = await usedHeap(edge);
  const many = await server.connectMany!(port, TUNNELS, "b");
  for (const target of many.targets ?? []) await waitUntilServed(target);
  await sleep(SETTLE_MS);
  const after = await usedHeap(edge);
  await many.close();
  return (after - before) / 1024 / TUNNELS;
}
