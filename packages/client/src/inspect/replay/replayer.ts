// Repeats exchanges: finds where they went, sends them again with a bound on how many at once, and says what came back.
import type { Duplex } from "node:stream";
import type { Exchange } from "@expose/protocol";
import type { ExchangeFilter } from "../capture.ts";
import type { InspectorOptions } from "../server/inspected.ts";
import { createTap } from "../tap/create-tap.ts";
import { checkUpstream } from "./local-upstream.ts";
import { planReplay, type ReplayWish } from "./plan.ts";
import { ReplayError } from "./replay-error.ts";
import { send } from "./send.ts";
import { writeRequest } from "./write-request.ts";

/** What a replay needs of the inspector. */
export type ReplayerOptions = Pick<
  InspectorOptions,
  "store" | "tunnels" | "openUpstream" | "maxBodyBytes"
> & {
  /** How long the local service may say nothing. Default: 30 seconds */
  readonly idleMs?: number;
  /** How long an answer may take in all. Default: 2 minutes */
  readonly totalMs?: number;
};

/** Where else, how often, and until when. */
export interface ReplayTarget {
  /** Another upstream, as text. Absent: the one that the exchange went to. */
  readonly upstream?: string | undefined;
  readonly times?: number | undefined;
  readonly signal: AbortSignal;
}

/** One replay. */
export interface Replayed {
  readonly original: Exchange;
  /** The replay as an exchange of its own; absent when nothing was captured. */
  readonly exchange: Exchange | undefined;
  readonly responseBody: Buffer;
  readonly error: ReplayError | undefined;
  /** Whether both have a status, and of the same class (RFC 9110 section 15). */
  readonly sameClass: boolean;
}

export interface Replayer {
  /**
   * Repeats one exchange.
   *
   * @throws ReplayError what keeps it from being sent at all
   */
  replay(
    original: Exchange,
    wish: ReplayWish,
    target: ReplayTarget,
  ): Promise<Replayed[]>;
  /** Finds the last exchanges that can be replayed, replays left out, oldest first. */
  findLast(
    filter: ExchangeFilter | undefined,
    last: number,
  ): Promise<Exchange[]>;
}

const IDLE_MS = 30_000;
const TOTAL_MS = 120_000;
/** An event stream ends when somebody has seen enough of it. */
const EVENTS_MS = 5_000;
/** So many connections of replays at once; further ones wait. */
const MAX_AT_ONCE = 8;

export function createReplayer(options: ReplayerOptions): Replayer {
  const { store } = options;
  const gate = createGate(MAX_AT_ONCE);

  return { replay, findLast };

  async function replay(
    original: Exchange,
    wish: ReplayWish,
    { upstream, times = 1, signal }: ReplayTarget,
  ): Promise<Replayed[]> {
    const bodies = await store.bodies(original.id);
    if (!bodies)
      throw new ReplayError("replay-refused", "The exchange has just gone.");
    const edited = planReplay(original, bodies.request, wish);
    const bytes = writeRequest(edited.request, edited.body);
    const local = openLocal(original, upstream);
    try {
      return await Promise.all(
        Array.from({ length: times }, () =>
          gate(() => sendOnce(original, bytes, local, signal)),
        ),
      );
    } finally {
      local.close();
    }
  }

  async function sendOnce(
    original: Exchange,
    bytes: Buffer,
    local: Local,
    signal: AbortSignal,
  ): Promise<Replayed> {
    const isStream = original.kind === "events";
    const sent = await send(bytes, {
      dial: local.dial,
      sink: store,
      // A tap of its own: what passes the tunnel meanwhile uses up no budget of this one.
      createTap: (sink) =>
        createTap(sink, { maxBodyBytes: options.maxBodyBytes })({
          tunnel: original.tunnel,
          origin: original.origin,
          upstream: local.label,
          replayOf: original.id,
        }),
      signal,
      idleMs: options.idleMs ?? IDLE_MS,
      totalMs: isStream ? EVENTS_MS : (options.totalMs ?? TOTAL_MS),
    });
    const status = sent.exchange?.status;
    const enough =
      isStream &&
      sent.error?.code === "upstream-timeout" &&
      status !== undefined;
    const error = enough ? undefined : sent.error;
    return {
      original,
      exchange: sent.exchange,
      responseBody: sent.responseBody,
      error,
      sameClass:
        error === undefined &&
        classOf(status) !== undefined &&
        classOf(status) === classOf(original.status),
    };
  }

  async function findLast(
    filter: ExchangeFilter | undefined,
    last: number,
  ): Promise<Exchange[]> {
    const { items } = await store.list({
      filter: {
        needsBodies: filter?.needsBodies ?? false,
        matches: (exchange, bodies) =>
          exchange.replayOf === undefined &&
          (exchange.kind === "http" || exchange.kind === "events") &&
          (filter?.matches(exchange, bodies) ?? true),
      },
      limit: last,
    });
    const found = await Promise.all(items.map(({ id }) => store.get(id)));
    return found.filter((exchange) => exchange !== undefined).reverse();
  }

  // @throws ReplayError `upstream-refused`
  function openLocal(original: Exchange, wanted: string | undefined): Local {
    const tunnels = options.tunnels();
    const upstream = wanted ?? original.upstream;
    const leading = tunnels.filter((tunnel) => tunnel.upstream === upstream);
    // Two tunnels to one address may differ in how they dial it (authorities of TLS).
    const tunnel =
      leading.find(({ name }) => name === original.tunnel) ?? leading[0];
    if (tunnel)
      return {
        label: tunnel.upstream,
        dial: (signal) => tunnel.dial(signal),
        close() {},
      };
    // The history says where an exchange went in another run, or another client's: what is in a file is checked too.
    const spec = checkUpstream(
      upstream,
      tunnels.map((each) => each.upstream),
    );
    if (!options.openUpstream)
      throw new ReplayError(
        "upstream-refused",
        "Only upstreams of open tunnels can be dialled.",
      );
    return options.openUpstream(spec);
  }
}

interface Local {
  readonly label: string;
  dial(signal: AbortSignal): Promise<Duplex>;
  close(): void;
}

const classOf = (status: number | undefined): number | undefined =>
  status === undefined ? undefined : Math.floor(status / 100);

// Lets a number of tasks run at once; the others wait in order.
function createGate(width: number): <T>(task: () => Promise<T>) => Promise<T> {
  let running = 0;
  const waiting: (() => void)[] = [];
  return async (task) => {
    // Whoever leaves hands its place on, so that nobody slips in between.
    if (running >= width)
      await new Promise<void>((resolve) => waiting.push(resolve));
    else running++;
    try {
      return await task();
    } finally {
      const next = waiting.shift();
      if (next) next();
      else running--;
    }
  };
}
