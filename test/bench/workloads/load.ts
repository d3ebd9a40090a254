// Requests as fast as they go through, made by wrk.
import { runWrk, type LoadOptions } from "../load/wrk.ts";
import type { OriginKind } from "../load/origin.ts";
import { endedChildrenSeconds } from "../measure/processes.ts";
import { startCosts } from "../measure/roles.ts";
import type { Workload } from "../model.ts";
import { startCarried } from "./carried.ts";

const COMPARED = [
  ...["ssh", "ssh-N", "nginx+ssh", "direct", "nginx"],
  ...["embedded-noinspect", "openssh-noinspect", "embedded"],
];

interface Definition {
  readonly name: string;
  readonly about: string;
  readonly load: Omit<LoadOptions, "seconds">;
  readonly origin?: OriginKind;
  /** Count bytes instead of requests. */
  readonly bulk?: boolean;
  /** Show what making the load costs as well. */
  readonly visitors?: boolean;
  /** Default: those that are compared with others. */
  readonly setups?: readonly string[];
}

const MORE_CORES = {
  visitors: true,
  setups: ["embedded", "embedded-2w", "openssh", "openssh-2w"],
} as const;

/** Before each sample: while the others had their turn, what this one needs has left the processor's caches and memory. */
const WARM_UP_S = 1;

const define = (definition: Definition): Workload => ({
  name: definition.name,
  about: definition.about,
  unit: definition.bulk ? "MB/s" : "req/s",
  better: "more",
  cpuPer: definition.bulk ? "GB" : "10k requests",
  setups: definition.setups ?? COMPARED,
  rounds: 3,
  async start(setup, world, { seconds }) {
    const carried = await startCarried(
      setup,
      world,
      definition.origin ?? "static",
    );
    const { target, roles, close } = carried;
    return {
      close,
      async sample() {
        await runWrk(target, { ...definition.load, seconds: WARM_UP_S });
        const stopCosts = startCosts(roles);
        const visitorsBefore = endedChildrenSeconds();
        const result = await runWrk(target, { ...definition.load, seconds });
        const { cpu, rssMib } = stopCosts();
        if (definition.visitors)
          cpu["visitors"] = endedChildrenSeconds() - visitorsBefore;
        if (result.requests === 0) throw new Error("no request was answered");
        const amount = definition.bulk
          ? result.bytes / 1e9
          : result.requests / 10_000;
        return {
          value:
            (definition.bulk ? result.bytes / 1e6 : result.requests) /
            result.seconds,
          ...{ p50Ms: result.p50Ms, p99Ms: result.p99Ms, maxMs: result.maxMs },
          ...{ errors: result.errors, rssMib },
          cpu: Object.fromEntries(
            Object.entries(cpu).map(([role, used]) => [role, used / amount]),
          ),
        };
      },
    };
  },
});

/** See each `about`. */
export const loadWorkloads: readonly Workload[] = [
  define({
    name: "get64",
    about: "GET of 1 KiB over 64 kept connections",
    load: { path: "/1k", connections: 64 },
  }),
  define({
    name: "get1",
    about: "GET of 1 KiB over 1 kept connection",
    load: { path: "/1k", connections: 1 },
  }),
  define({
    name: "post1",
    about: "POST of 1 KiB over 1 kept connection",
    load: { path: "/", connections: 1, bodyBytes: 1024 },
    origin: "sink",
  }),
  define({
    name: "close64",
    about: "GET of 1 KiB, 64 at a time, each on a connection of its own",
    load: { path: "/1k", connections: 64, close: true },
  }),
  define({
    name: "cores",
    about:
      "GET of 1 KiB over 64 kept connections, with one worker and with two",
    load: { path: "/1k", connections: 64 },
    ...MORE_CORES,
  }),
  define({
    name: "cores-close",
    about:
      "GET of 1 KiB, 64 at a time, each on a connection of its own, with one worker and with two",
    load: { path: "/1k", connections: 64, close: true },
    ...MORE_CORES,
  }),
  define({
    name: "bulk",
    about: "GET of 1 MiB over 16 kept connections",
    load: { path: "/1m", connections: 16 },
    bulk: true,
  }),
];
