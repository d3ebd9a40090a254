// The inspector of a session: looks on from the first byte, and loads its larger part once a URL is there to be shown.
import { homedir } from "node:os";
import type { Duplex } from "node:stream";
import type { ExchangeSummary } from "@expose/protocol";
import { stateFolder } from "./config/locate.ts";
import { messageOf } from "./errors.ts";
import type { StoreListener } from "./inspect/capture.ts";
import { createEarlyTap } from "./inspect/early-tap.ts";
import type { Inspection } from "./inspect/start-inspection.ts";
import type { ConnectionTap } from "./inspect/tap/connection-tap.ts";
import type { InspectOptions, SessionLog } from "./options.ts";
import { openReplayUpstream } from "./replay-upstream.ts";
import { resolveUpstreamSpec } from "./resolve-upstream.ts";
import type { Tunnel } from "./tunnel.ts";

/** A tunnel that is looked at. */
export interface InspectableTunnel extends Pick<
  Tunnel,
  "name" | "url" | "upstream" | "state" | "latencyMs" | "openConnections"
> {
  dial(signal: AbortSignal): Promise<Duplex>;
}

/** See the file's head. */
export interface SessionInspection {
  /** A channel of this tunnel has come. */
  connect(tunnel: InspectableTunnel): ConnectionTap;
  /** Whether it looks at requests by now, and tells of webhooks. */
  readonly explains: boolean;
  /** Loads and starts what is missing, once the event loop is idle. Idempotent. */
  start(): void;
  /** Ends what was started. Connections go on. Idempotent; never throws. */
  close(): Promise<void>;
}

/** What an inspection needs of its session. */
export interface InspectionHost {
  tunnels(): readonly InspectableTunnel[];
  readonly log: SessionLog | undefined;
  /** The page can be visited. */
  onUrl(url: string): void;
  /** A request is a webhook; called once for each, and not for replays. */
  onWebhook(summary: ExchangeSummary): void;
}

/** @returns undefined when the inspector is not wanted */
export function createSessionInspection(
  wish: boolean | InspectOptions | undefined,
  host: InspectionHost,
): SessionInspection | undefined {
  if (!wish) return undefined;
  const settings = wish === true ? {} : wish;
  const early = createEarlyTap<InspectableTunnel>();
  let starting: Promise<Inspection | undefined> | undefined;
  let closed = false;
  let explains = false;

  return {
    get explains() {
      return explains && !closed;
    },
    connect: (tunnel) => early.connect(tunnel),
    start() {
      if (closed) return;
      starting ??= start();
    },
    async close() {
      closed = true;
      early.giveUp();
      await (await starting)?.close().catch(() => {});
    },
  };

  async function start(): Promise<Inspection | undefined> {
    // Whoever waits for the tunnel is told first.
    await new Promise((resolve) => setImmediate(resolve));
    const inspection = await load();
    if (!inspection || closed) {
      early.giveUp();
      return inspection;
    }
    const { url } = inspection;
    early.ready((tunnel) =>
      inspection.tap({
        tunnel: tunnel.name,
        origin: originOf(tunnel.url),
        upstream: tunnel.upstream,
      }),
    );
    inspection.store.subscribe(watchWebhooks((each) => host.onWebhook(each)));
    explains = true;
    // What a listener throws is its owner's bug, and goes where those of all listeners go.
    if (url !== undefined)
      process.nextTick(() => {
        if (!closed) host.onUrl(url);
      });
    return inspection;
  }

  async function load(): Promise<Inspection | undefined> {
    try {
      const { startInspection } = await import("./inspect/start-inspection.ts");
      return await startInspection({
        settings,
        stateFolder:
          settings.stateFolder ??
          stateFolder({ env: process.env, home: homedir() }),
        tunnels: () => host.tunnels(),
        avoidPorts: host.tunnels().flatMap(portOf),
        openUpstream: openReplayUpstream,
        warn: (sentence) => host.log?.warn(sentence),
      });
    } catch (error) {
      host.log?.warn(
        `The inspector did not start, and the tunnel goes on without it: ${messageOf(error)}`,
      );
      return undefined;
    }
  }
}

// The store tells of an exchange several times while it goes on.
function watchWebhooks(
  tell: (summary: ExchangeSummary) => void,
): StoreListener {
  const told = new Set<string>();
  const look = (summary: ExchangeSummary): void => {
    const { id, webhook, replayOf } = summary;
    if (!webhook || replayOf !== undefined || told.has(id)) return;
    told.add(id);
    if (told.size > MAX_TOLD) told.delete(told.values().next().value!);
    tell(summary);
  };
  return { added: look, changed: look };
}

const MAX_TOLD = 1_000;

// Its service may be down at the moment; the port is its own nevertheless.
const portOf = ({ upstream }: InspectableTunnel): number[] => {
  const spec = resolveUpstreamSpec({ upstream });
  return "port" in spec ? [spec.port] : [];
};

const originOf = (url: string): string =>
  URL.canParse(url) ? new URL(url).origin : url;
