// The upstream phase of a WebSocket: one visitor, one connection through the tunnel that is never pooled, and an orderly
// end when the edge stops.
import type { ClientRequest, IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import { pipeline, type Duplex } from "node:stream";
import type { LinkPressure } from "@expose/protocol";
import type { ForwardedConnection } from "../ingress/forward.ts";
import { passForSocket } from "./channel-socket.ts";
import type { OpenUpgrade } from "./engine.ts";
import { CLOSE_GOING_AWAY, FrameCounter } from "./frame-counter.ts";
import { filterResponseHeaders } from "./headers.ts";
import { MAX_INTERIM_RESPONSES } from "./limits.ts";
import { explainNoConnection } from "./pool.ts";
import type { Refusal } from "./refusal.ts";
import type { RequestHead } from "./request-head.ts";
import type { TunnelState } from "./tunnel-state.ts";
import { joinUpgrade, type UpgradeEvents } from "./upgrade.ts";
import type { Visit, VisitTask } from "./visit.ts";

/**
 * Says why an upgrade may not pass: whatever could make the upstream see another request in what follows it
 * (CVE-2026-2833, RFC 9931).
 *
 * @param framing of the request's body, as framing.ts decided
 */
export function refuseUpgrade(
  visit: Visit,
  head: RequestHead,
  framing: number,
): Refusal | undefined {
  if (visit.engine.draining) return { code: "edge-draining", retryAfterS: 1 };
  if (visit.request.method !== "GET" || framing !== 0 || head.upgrades !== 1)
    return { code: "upgrade-refused" };
  return undefined;
}

/** A WebSocket from its request to the end of both sides. */
export class LiveUpgrade implements VisitTask, OpenUpgrade, UpgradeEvents {
  readonly #visit: Visit;
  readonly #tunnel: TunnelState;
  readonly #socket: Socket;
  #head: Buffer;
  readonly #path: string;
  #requestHead: string;
  /** Bytes of the visitor that came before those of the WebSocket. */
  readonly #bytesBefore: number;
  readonly #frames = new FrameCounter();
  #stream: Duplex | undefined;
  /** Pressure of the SSH link under the stream. */
  #link: LinkPressure | undefined;
  #awaitsLink = false;
  #forgetTunnel: (() => void) | undefined;
  #heard = false;
  #interim = 0;
  #movedAt: number;
  /** `leaving`: the Close frame waits for the end of another frame. `left`: it was sent. */
  #state: "open" | "leaving" | "left" = "open";
  /** When one side has ended, or was told to; 0 while neither has. */
  #closingSince = 0;

  /**
   * @param head what the visitor sent behind the request
   * @param path the request's target as it goes to the upstream
   * @param requestHead the request's head as it goes to the upstream
   */
  constructor(
    visit: Visit,
    socket: Socket,
    head: Buffer,
    path: string,
    requestHead: string,
  ) {
    this.#visit = visit;
    this.#tunnel = visit.tunnel!;
    this.#socket = socket;
    this.#head = head;
    this.#path = path;
    this.#requestHead = requestHead;
    this.#bytesBefore = socket.bytesRead - head.length;
    this.#movedAt = visit.engine.coarseNow;
    visit.task = this;
  }

  /** Begins. */
  start(): void {
    const visit = this.#visit;
    if (this.#tunnel.upgrades >= visit.engine.limits.upgradesPerTunnel)
      return this.#refuse({ code: "tunnel-busy", retryAfterS: 1 });
    this.#tunnel.pool
      .openDedicated({ address: visit.visitor, port: visit.connection.port })
      .then(
        (connection) => this.#guarded(() => this.#connected(connection)),
        (error: unknown) =>
          this.#refuse(
            explainNoConnection(error) === "down"
              ? { code: "upstream-down" }
              : { code: "forward-failed", retryAfterS: 1 },
          ),
      )
      .catch(visit.engine.onBug);
  }

  /**
   * Tells the visitor that the edge is going away (RFC 6455 section 7.4.1), as soon as the frame that is on its way to
   * them is complete. Their answer goes on to the upstream, which so hears of the end as well.
   */
  goAway(): void {
    const stream = this.#stream;
    if (this.#state !== "open" || !stream) return;
    this.#state = "leaving";
    if (this.#frames.atBoundary) this.#sayGoodbye();
    stream.resume();
  }

  abort(): void {
    const visit = this.#visit;
    if (visit.upgraded) {
      visit.bytesIn = this.#socket.bytesRead - this.#bytesBefore;
      this.#tunnel.upgrades--;
      visit.engine.upgrades.delete(this);
    }
    this.#forgetTunnel?.();
    this.#stream?.destroy();
  }

  check(now: number): void {
    const { timeouts } = this.#visit.engine;
    if (this.#visit.upgraded) {
      if (this.#closingSince === 0) return;
      const closingMs = now - this.#closingSince;
      if (closingMs > 2 * timeouts.closingMs) this.#visit.connection.destroy();
      else if (closingMs > timeouts.closingMs) this.#socket.end();
      return;
    }
    const quietMs = now - this.#movedAt;
    if (!this.#stream) {
      if (quietMs > timeouts.connectMs)
        this.#refuse({ code: "forward-failed", retryAfterS: 1 });
    } else if (timeouts.firstByteMs > 0 && quietMs > timeouts.firstByteMs)
      this.#refuse({ code: "upstream-timeout" });
  }

  prepare(request: ClientRequest): void {
    for (const name of request.getHeaderNames()) request.removeHeader(name);
    request.path = this.#path;
    for (const [name, values] of groupedLines(this.#requestHead))
      request.setHeader(name, values);
    request.on("socket", () => {
      this.#stream!.once("data", () => (this.#heard = true));
      this.#stream!.resume();
    });
    request.on("information", () => {
      if (++this.#interim > MAX_INTERIM_RESPONSES)
        this.#refuse({ code: "upstream-invalid" });
    });
    request.on("response", (response: IncomingMessage) => {
      keepFromProxy(response);
      // A switch behind an answer is none. http-proxy would tell the visitor of it, in the middle of that answer.
      request.removeAllListeners("upgrade");
      this.#guarded(() => this.#passRefusal(response));
    });
    request.on("upgrade", (response: IncomingMessage) =>
      this.#guarded(() => this.#switched(response)),
    );
  }

  agreed(): void {
    // The upstream switched to something else.
    if (!this.#visit.upgraded) return;
    // Kept for as long as the WebSocket lives, and of no use any more.
    this.#requestHead = "";
    this.#head = NOTHING;
    const stream = this.#stream!;
    const socket = this.#socket;
    stream.on("data", (chunk: Buffer) => this.#toVisitor(chunk));
    stream.on("drain", () => this.#readVisitor());
    stream.on("end", () => {
      socket.end();
      this.#closing();
    });
    socket.on("data", (chunk: Buffer) => this.#toUpstream(chunk));
    socket.on("drain", () => stream.resume());
    socket.on("end", () => {
      stream.end();
      this.#closing();
    });
    socket.resume();
    stream.resume();
    if (this.#visit.engine.draining) this.goAway();
  }

  failed(error: Error): void {
    // After that, the sides' own `close` tells.
    if (this.#visit.upgraded) return;
    const { tunnel } = this.#tunnel;
    if (isParseError(error)) this.#refuse({ code: "upstream-invalid" });
    else if (this.#heard) this.#refuse({ code: "upstream-closed" });
    else if (tunnel.closed || tunnel.forward.closed)
      this.#refuse({ code: "forward-failed", retryAfterS: 1 });
    else this.#refuse({ code: "upstream-down" });
  }

  #connected(connection: ForwardedConnection): void {
    const visit = this.#visit;
    const { stream, link } = connection;
    passForSocket(stream);
    // http-proxy and Node listen as well, but not all of the time. `close` follows.
    stream.on("error", ignoreError);
    if (visit.over) {
      stream.destroy();
      return;
    }
    this.#stream = stream;
    this.#link = link;
    visit.connectedAt = visit.engine.clock();
    this.#movedAt = visit.connectedAt;
    stream.on("close", () => {
      if (visit.upgraded) this.#socket.destroySoon();
    });
    this.#forgetTunnel = this.#tunnel.tunnel.onceClosed(() => stream.destroy());
    joinUpgrade(this, stream, this.#socket, this.#head);
  }

  #switched(response: IncomingMessage): void {
    const visit = this.#visit;
    visit.firstByteAt = visit.engine.clock();
    visit.status = 101;
    if (response.headers.upgrade?.toLowerCase() !== "websocket") {
      this.abort();
      return visit.cut("upstream-invalid");
    }
    visit.becomeWebSocket();
    this.#tunnel.upgrades++;
    visit.engine.upgrades.add(this);
    // What http-proxy writes out.
    response.headers = Object.fromEntries(
      groupedPairs([
        "Upgrade",
        "websocket",
        "Connection",
        "Upgrade",
        ...filterResponseHeaders(response.rawHeaders, false),
      ]),
    );
  }

  // The upstream has answered, but not with a switch of protocols.
  #passRefusal(response: IncomingMessage): void {
    const visit = this.#visit;
    const status = response.statusCode ?? 0;
    if (status < 200) return this.#refuse({ code: "upstream-invalid" });
    visit.firstByteAt = visit.engine.clock();
    // No limit but the visitor's own holds from here.
    this.#movedAt = Number.POSITIVE_INFINITY;
    visit.status = status;
    const out = visit.respondToUpgrade();
    out.sendDate = false;
    out.writeHead(status, response.statusMessage ?? "", [
      ...filterResponseHeaders(
        response.rawHeaders,
        response.headers["transfer-encoding"] === undefined,
      ),
      "Connection",
      "close",
    ]);
    response.on("data", (chunk: Buffer) => (visit.bytesOut += chunk.length));
    pipeline(response, out, (error) => {
      this.#stream?.destroy();
      if (error) visit.cut("upstream-closed");
      else visit.finish();
    });
  }

  #toVisitor(chunk: Buffer): void {
    // It was told that nothing follows, or is gone.
    if (this.#state === "left" || this.#socket.writableEnded) return;
    const passed = this.#follow(chunk);
    this.#visit.bytesOut += passed.length;
    const room = this.#socket.write(passed);
    if (this.#state === "leaving" && this.#frames.atBoundary)
      this.#sayGoodbye();
    else if (!room) this.#stream!.pause();
  }

  // An edge that is going away lets the frame come to its end that is on its way, and nothing behind it.
  #follow(chunk: Buffer): Buffer {
    if (this.#state === "open") {
      this.#frames.take(chunk);
      return chunk;
    }
    return chunk.subarray(0, this.#frames.takeToBoundary(chunk));
  }

  #toUpstream(chunk: Buffer): void {
    const stream = this.#stream!;
    if (stream.writableEnded) return;
    if (!stream.write(chunk)) this.#socket.pause();
    else if (this.#link?.isFull()) this.#awaitLink();
  }

  #readVisitor(): void {
    if (this.#link?.isFull()) this.#awaitLink();
    else this.#socket.resume();
  }

  #awaitLink(): void {
    this.#socket.pause();
    if (this.#awaitsLink) return;
    this.#awaitsLink = true;
    this.#link!.onceDrained(() => {
      this.#awaitsLink = false;
      if (!this.#stream!.writableNeedDrain) this.#socket.resume();
    });
  }

  #sayGoodbye(): void {
    this.#state = "left";
    this.#socket.write(CLOSE_GOING_AWAY);
    this.#closing();
  }

  #closing(): void {
    if (this.#closingSince === 0)
      this.#closingSince = this.#visit.engine.clock();
  }

  #refuse(refusal: Refusal): void {
    const visit = this.#visit;
    if (visit.over) return;
    if (visit.upgraded) return visit.connection.destroy();
    this.abort();
    visit.task = undefined;
    visit.answer(refusal);
  }

  #guarded(step: () => void): void {
    try {
      step();
    } catch (error) {
      this.#visit.engine.onBug(error);
      this.#refuse({ code: "edge-error" });
    }
  }
}

const NOTHING = Buffer.alloc(0);

// The fields of a head, with those of one name together, which is all that Node's client can send.
function groupedLines(head: string): Map<string, string[]> {
  const flat: string[] = [];
  for (const line of head.split("\r\n").slice(1, -2)) {
    const colon = line.indexOf(":");
    flat.push(line.slice(0, colon), line.slice(colon + 2));
  }
  return groupedPairs(flat);
}

function groupedPairs(flat: readonly string[]): Map<string, string[]> {
  const spelling = new Map<string, string>();
  const groups = new Map<string, string[]>();
  for (let i = 0; i + 1 < flat.length; i += 2) {
    const lower = flat[i]!.toLowerCase();
    const name = spelling.get(lower) ?? flat[i]!;
    spelling.set(lower, name);
    groups.set(name, [...(groups.get(name) ?? []), flat[i + 1]!]);
  }
  return groups;
}

// http-proxy would pass an answer on with a head that does not fit the body any more, unless its `upgrade` is set, which
// it asks for once, right after this. Node asks as well, later, and must hear the truth.
function keepFromProxy(response: IncomingMessage): void {
  let asked = false;
  Object.defineProperty(response, "upgrade", {
    get: () => !asked && (asked = true),
  });
}

const isParseError = (error: Error): boolean =>
  "code" in error && String(error.code).startsWith("HPE_");

function ignoreError(): void {}
