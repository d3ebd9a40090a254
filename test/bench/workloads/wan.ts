// Over an emulated line of 100 Mbit/s with a round trip of 50 ms: what visitors notice.
import { Agent } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { ask, waitUntilServed } from "../load/ask.ts";
import { startOrigin, BIG_BYTES, type OriginKind } from "../load/origin.ts";
import { download, upload } from "../load/transfer.ts";
import { quantile } from "../measure/statistics.ts";
import type { Sample, Target, WanSpec, Workload } from "../model.ts";
import { startCarried } from "./carried.ts";

const LINE: WanSpec = { delayMs: 25, mbitPerS: 100, mtu: 1_500 };
const COMPARED = ["ssh", "ssh-N", "nginx+ssh", "embedded", "openssh"];
const BURST = 8;
const KNOCK_MS = 100;
const KNOCK_LIMIT_MS = 120_000;
// Time for a client to log in (a dozen round trips at most) and for whatever it then does on its own account.
const SETTLE_MS = 3_000;

/** A workload whose samples each have a client of their own, which is up but has carried nothing yet. */
const cold = (
  name: string,
  about: string,
  measure: (target: Target) => Promise<number>,
): Workload => ({
  ...{ name, about, unit: "ms", better: "less", wan: LINE },
  setups: COMPARED,
  rounds: 5,
  async start(setup, world) {
    const origin = await startOrigin("static", world.laptop);
    const server = await setup.open(world);
    return {
      async sample() {
        const link = await server.connect(origin.port, "bench");
        try {
          await sleep(SETTLE_MS);
          const value = await measure(link.target);
          return { value, detail: { "again ms": await measure(link.target) } };
        } finally {
          await link.close();
          await sleep(1_000);
        }
      },
      async close() {
        await server.close();
        await origin.close();
      },
    };
  },
});

async function timeBurst(target: Target, count: number): Promise<number> {
  const startedAt = performance.now();
  const answers = await Promise.all(
    Array.from({ length: count }, () => ask(target)),
  );
  const bad = answers.find(({ status }) => status !== 200);
  if (bad) throw new Error(`${bad.status} ${bad.body.toString()}`);
  return performance.now() - startedAt;
}

/** Small requests while something big takes all that the line gives. */
const beside = (
  name: string,
  about: string,
  {
    kind = "static",
    downloads = 0,
    uploads = 0,
    apart = false,
  }: {
    kind?: OriginKind;
    downloads?: number;
    uploads?: number;
    /** Ask through a client and an SSH connection of their own. */
    apart?: boolean;
  },
): Workload => ({
  name,
  about: `GET of 1 KiB ${about} (median of 8 s)`,
  ...{ unit: "ms", better: "less", wan: LINE },
  setups: apart ? ["ssh", "embedded", "openssh"] : COMPARED,
  rounds: 3,
  async start(setup, world) {
    const { target, another, close } = await startCarried(setup, world, kind);
    const asked = apart ? await another("apart") : target;
    const bytes = BIG_BYTES / Math.max(1, downloads + uploads);
    return {
      close,
      async sample() {
        const startedAt = performance.now();
        const moved = [
          ...Array.from({ length: downloads }, () =>
            download(target, "/big", BIG_BYTES, bytes),
          ),
          ...Array.from({ length: uploads }, () => upload(target, "/", bytes)),
        ];
        await sleep(3_000);
        const agent = new Agent({ keepAlive: true });
        const times: number[] = [];
        while (performance.now() - startedAt < 11_000) {
          const askedAt = performance.now();
          await ask(asked, { agent });
          times.push(performance.now() - askedAt);
          await sleep(20);
        }
        agent.destroy();
        const seconds = Math.max(...(await Promise.all(moved)));
        return {
          value: quantile(times, 0.5),
          p99Ms: quantile(times, 0.99),
          maxMs: Math.max(...times),
          detail: { "beside it MB/s": BIG_BYTES / 1e6 / seconds },
        };
      },
    };
  },
});

/** Nothing passes for a while, and nobody is told. */
const cut = (name: string, seconds: number): Workload => ({
  name,
  about: `from the end of a cut of ${seconds} s to the first 200 of visitors that come every ${KNOCK_MS} ms`,
  ...{ unit: "ms", better: "less", wan: LINE },
  setups: ["embedded", "openssh"],
  rounds: seconds > 60 ? 1 : 3,
  async start(setup, world) {
    const { target, close } = await startCarried(setup, world, "static");
    return {
      close,
      async sample() {
        if (!world.setLine) throw new Error("there is no line to cut");
        await waitUntilServed(target);
        world.setLine(false);
        try {
          await sleep(seconds * 1_000);
        } finally {
          world.setLine(true);
        }
        return knock(target);
      },
    };
  },
});

/** Visitors come one after the other and wait; what became of the one who came at once is told too. */
async function knock(target: Target): Promise<Sample> {
  const startedAt = performance.now();
  const since = (): number => performance.now() - startedAt;
  let served: number | undefined;
  const visit = async (): Promise<{ status: number; waitedMs: number }> => {
    const { status } = await ask(target, { timeoutMs: KNOCK_LIMIT_MS });
    if (status === 200) served ??= since();
    return { status, waitedMs: since() };
  };
  // 0: cut without an answer.
  const visitCarefully = (): ReturnType<typeof visit> =>
    visit().catch(() => ({ status: 0, waitedMs: since() }));
  const first = visitCarefully();
  while (served === undefined) {
    if (since() > KNOCK_LIMIT_MS)
      throw new Error("nobody was served after the cut");
    await sleep(KNOCK_MS);
    void visitCarefully();
  }
  const { status, waitedMs } = await first;
  return {
    value: served,
    detail: { "first visitor waits ms": waitedMs, "and gets": status },
  };
}

/** See each `about`. */
export const wanWorkloads: readonly Workload[] = [
  cold("wan-first", "the first request through a new tunnel", (target) =>
    timeBurst(target, 1),
  ),
  cold(
    "wan-burst",
    `${BURST} requests at once, the first through a new tunnel, until all are answered`,
    (target) => timeBurst(target, BURST),
  ),
  beside("wan-beside", "while a download fills the line", { downloads: 1 }),
  beside("wan-beside4", "while four downloads fill the line", { downloads: 4 }),
  beside("wan-beside-up", "while an upload fills the line", {
    ...{ kind: "sink", uploads: 1 },
  }),
  beside("wan-apart", "on a connection of its own beside a download", {
    ...{ downloads: 1, apart: true },
  }),
  cut("wan-cut10", 10),
  cut("wan-cut300", 300),
];
