// One body of 256 MiB over one connection, in each direction.
import { BIG_BYTES, type OriginKind } from "../load/origin.ts";
import { download, upload } from "../load/transfer.ts";
import { startCosts } from "../measure/roles.ts";
import type { Target, WanSpec, Workload } from "../model.ts";
import { startCarried } from "./carried.ts";

const define = (
  name: string,
  about: string,
  kind: OriginKind,
  move: (target: Target) => Promise<number>,
  wan?: WanSpec,
  bytes = BIG_BYTES,
): Workload => ({
  name,
  about,
  unit: "MB/s",
  better: "more",
  cpuPer: "GB",
  setups: [
    "ssh",
    "ssh-N",
    "nginx+ssh",
    ...(wan ? [] : ["direct", "nginx"]),
    "embedded",
    "openssh",
  ],
  rounds: 3,
  ...(wan ? { wan } : {}),
  async start(setup, world) {
    const { target, roles, close } = await startCarried(setup, world, kind);
    return {
      close,
      async sample() {
        const stopCosts = startCosts(roles);
        const seconds = await move(target);
        const { cpu, rssMib } = stopCosts();
        return {
          value: bytes / 1e6 / seconds,
          rssMib,
          cpu: Object.fromEntries(
            Object.entries(cpu).map(([role, used]) => [
              role,
              used / (bytes / 1e9),
            ]),
          ),
        };
      },
    };
  },
});

const down = (target: Target): Promise<number> =>
  download(target, "/big", BIG_BYTES);
const up = (target: Target): Promise<number> => upload(target, "/", BIG_BYTES);

/** Without a WAN, and with a round trip of 50 ms on a fast line (packets of 9,000 bytes, so that the emulation keeps up). */
export const streamWorkloads: readonly Workload[] = [
  define("down", "one download of 256 MiB", "static", down),
  define("up", "one upload of 256 MiB", "sink", up),
  define("wan-down", "one download of 256 MiB at 50 ms", "static", down, {
    ...{ delayMs: 25, mbitPerS: 0, mtu: 9_000 },
  }),
  define("wan-up", "one upload of 256 MiB at 50 ms", "sink", up, {
    ...{ delayMs: 25, mbitPerS: 0, mtu: 9_000 },
  }),
];
