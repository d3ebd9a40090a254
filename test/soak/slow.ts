// Slow visitors in thousands, and good ones beside them: how long do the good ones wait, and what does it cost?
import { createServer } from "node:http";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import {
  startProgram,
  stop,
  type RunningProgram,
} from "../harness/processes.ts";
import type { World } from "../harness/worlds.ts";
import { startClient } from "./clients.ts";
import { startGoodVisitor, type Latencies } from "./good-visitor.ts";
import { inRoot } from "./paths.ts";
import { residentBytes, watchPeak } from "./process-figures.ts";

/** Manners of slow visitors: -H, -B, -X of slowhttptest; who says nothing; who asks for what is never answered. */
export type SlowKind = "headers" | "body" | "read" | "idle" | "hold";

/** One attack. */
export interface SlowOptions {
  readonly kind: SlowKind;
  readonly connections: number;
  /** From addresses each below the cap of a visitor, or from a single one. */
  readonly from: "many" | "one";
  /** Attackers' connections of one address, for `many`. Default: 100. */
  readonly perAddress?: number;
  /** For which all goes on once every connection was tried, and for which the good visitors are watched then. */
  readonly seconds: number;
  /** In all. Default: 2,000. */
  readonly perSecond?: number;
}

/** What came of it. */
export interface SlowResult {
  /** A good visitor before the attack. */
  readonly quiet: Latencies;
  /** While attackers arrive: a good visitor of another tunnel, and one of the tunnel that is attacked. */
  readonly arriving: Watched;
  /** Once they are there. */
  readonly there: Watched;
  /** Attackers' connections that are open when the attack ends. */
  readonly open: number;
  readonly statuses: Readonly<Record<string, number>>;
  readonly failures: Readonly<Record<string, number>>;
  readonly edgeMb: { readonly before: number; readonly peak: number };
  readonly clientMb: { readonly before: number; readonly peak: number };
}

/** Two good visitors at work. */
interface Watched {
  readonly elsewhere: Latencies;
  readonly beside: Latencies;
}

// More in one process would come near its number of descriptors.
const PER_PROCESS = 4_000;
const BIG = Buffer.alloc(1024 * 1024, "x");
const BIG_BYTES = 64 * BIG.length;

/** Runs it, with tunnels `attacked` and `other` of one client. */
export async function runSlow(
  world: World,
  options: SlowOptions,
): Promise<SlowResult> {
  const origin = await startOrigin();
  const client = await startClient(
    ["attacked", "other"].map((name) => ({
      session: world.session(),
      tunnels: [{ name, port: origin.port }],
    })),
  );
  const attackers: RunningProgram[] = [];
  try {
    const quietVisitor = startGoodVisitor(world.urlOf("other"));
    await sleep(Math.min(2_000, options.seconds * 1_000));
    const quiet = await quietVisitor.stop();
    const pids = [world.edge.child.pid!, client.child.pid!] as const;
    const before = pids.map(residentBytes);
    const peaks = pids.map(watchPeak);
    const arrivals = watch(world);
    attackers.push(...startAttackers(world, options));
    for (const attacker of attackers)
      await attacker.waitFor(/^attacking$/m, 120_000);
    await sleep(options.seconds * 1_000);
    const arriving = await arrivals.stop();
    const later = watch(world);
    await sleep(options.seconds * 1_000);
    const reports = await Promise.all(attackers.map(report));
    const there = await later.stop();
    const [edgeMb, clientMb] = peaks.map((peak, i) => ({
      before: mb(before[i]!),
      peak: mb(peak.stop()),
    })) as [SlowResult["edgeMb"], SlowResult["clientMb"]];
    return {
      quiet,
      arriving,
      there,
      open: reports.reduce((sum, { open }) => sum + open, 0),
      statuses: total(reports.map(({ statuses }) => statuses)),
      failures: total(reports.map(({ failures }) => failures)),
      edgeMb,
      clientMb,
    };
  } finally {
    for (const attacker of attackers) await stop(attacker);
    await stop(client);
    await origin.close();
  }
}

function watch(world: World): { stop(): Promise<Watched> } {
  const elsewhere = startGoodVisitor(world.urlOf("other"));
  const beside = startGoodVisitor(world.urlOf("attacked"));
  return {
    stop: async () => ({
      elsewhere: await elsewhere.stop(),
      beside: await beside.stop(),
    }),
  };
}

function startAttackers(world: World, options: SlowOptions): RunningProgram[] {
  const { kind, connections, from, perSecond = 2_000 } = options;
  const count = Math.ceil(connections / PER_PROCESS);
  return Array.from({ length: count }, (_, i) => {
    const own = Math.min(PER_PROCESS, connections - i * PER_PROCESS);
    const addresses =
      from === "one"
        ? ["127.20.0.1"]
        : Array.from(
            { length: Math.ceil(own / (options.perAddress ?? 100)) },
            (_address, at) => `127.${10 + i}.${at >> 7}.${1 + (at & 127)}`,
          );
    return startProgram(
      process.execPath,
      [
        inRoot("test/soak/programs/slow-attacker.mjs"),
        JSON.stringify({
          kind,
          connections: own,
          port: world.httpPort,
          host: new URL(world.urlOf("attacked")).host,
          addresses,
          perSecond: perSecond / count,
          dripMs: 5_000,
        }),
      ],
      { stdio: ["pipe", "pipe", "pipe"] },
    );
  });
}

interface Report {
  readonly open: number;
  readonly statuses: Readonly<Record<string, number>>;
  readonly failures: Readonly<Record<string, number>>;
}

async function report(attacker: RunningProgram): Promise<Report> {
  attacker.child.stdin!.write("\n");
  const [, json] = await attacker.waitFor(/^report (.*)$/m);
  return JSON.parse(json!) as Report;
}

function total(
  counts: readonly Readonly<Record<string, number>>[],
): Record<string, number> {
  const sums: Record<string, number> = {};
  for (const count of counts)
    for (const [key, value] of Object.entries(count))
      sums[key] = (sums[key] ?? 0) + value;
  return sums;
}

const mb = (bytes: number): number => Math.round(bytes / 1e6);

interface Origin {
  readonly port: number;
  close(): Promise<void>;
}

// `/big` is more than all buffers on the way hold together; all else is small, once the request's body has come.
async function startOrigin(): Promise<Origin> {
  const server = createServer((request, response) => {
    request.resume();
    if (request.url === "/hold") return;
    if (request.url !== "/big") {
      request.on("end", () => response.end("ok"));
      return;
    }
    response.setHeader("content-length", BIG_BYTES);
    let left = BIG_BYTES;
    const send = (): void => {
      while (left > 0) {
        left -= BIG.length;
        if (!response.write(BIG)) return void response.once("drain", send);
      }
      response.end();
    };
    send();
  });
  server.listen(0, "127.0.0.1", 4_096);
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}
