// One request of a visitor, from its head to the end of its answer: the facts about it, and the ways that it can end.
import type { VisitorErrorCode } from "@expose/protocol";
import { ServerResponse } from "node:http";
import type { EdgeRequest } from "./edge-request.ts";
import type { Engine } from "./engine.ts";
import { renderErrorPage, statusOf } from "./error-page.ts";
import { tell } from "./record.ts";
import type { Refusal } from "./refusal.ts";
import type { Share } from "./shares.ts";
import { joinedField } from "./request-head.ts";
import type { TunnelState } from "./tunnel-state.ts";
import type { VisitorConnection } from "./visitor-connection.ts";
import type { VisitorRequest, VisitorResponse } from "./visitor-message.ts";
import { visitorKey } from "./visitor-key.ts";

/** What a visit is busy with, as far as others can end it. */
export interface VisitTask {
  /** Lets go of all that it holds, and answers nothing. */
  abort(): void;
  /** Ends the visit if a time limit has passed. @param now by the engine's clock */
  check(now: number): void;
}

/** One request. It is over exactly once, and the observer hears of it then. */
export class Visit {
  readonly engine: Engine;
  readonly connection: VisitorConnection;
  readonly request: VisitorRequest;
  /** The request as Node has it, which can have a body; undefined for a plain one. */
  readonly incoming: EdgeRequest | undefined;
  readonly isHead: boolean;
  readonly isUpgrade: boolean;
  readonly startedAt: number;
  /** The beginning, by the engine's clock; the other times are 0 until they come. */
  readonly start: number;
  #response: VisitorResponse | undefined;
  #counted = false;
  /** Whether the visitor waits for 100 Continue before it sends the body. */
  awaitsContinue: boolean;
  over = false;
  /** What other tasks it waits for; undefined while none does. */
  task: VisitTask | undefined;
  hostname = "";
  visitor: string;
  /** What its visitor has of the tunnel. */
  share: Share | undefined;
  tunnel: TunnelState | undefined;
  status = 0;
  error: VisitorErrorCode | undefined;
  upgraded = false;
  /** Whether it was sent, or may have been, a second time. */
  retried = false;
  /** Whether its tunnel was looked up again because the first one could not be reached. */
  rerouted = false;
  bytesIn = 0;
  bytesOut = 0;
  routedAt = 0;
  connectedAt = 0;
  firstByteAt = 0;

  /** @param response absent for an upgrade, which is answered on the bare socket */
  constructor(
    connection: VisitorConnection,
    request: VisitorRequest,
    response: VisitorResponse | undefined,
    incoming?: EdgeRequest,
    awaitsContinue = false,
  ) {
    this.engine = connection.engine;
    this.connection = connection;
    this.request = request;
    this.incoming = incoming;
    this.#response = response;
    this.awaitsContinue = awaitsContinue;
    this.isHead = request.method === "HEAD";
    this.isUpgrade = response === undefined;
    this.visitor = connection.address;
    this.startedAt = this.engine.now();
    this.start = this.engine.clock();
    this.engine.coarseNow = this.start;
    this.engine.visits.add(this);
  }

  /** Where the answer goes. */
  get response(): VisitorResponse {
    return (this.#response ??= this.respondToUpgrade());
  }

  /** Makes the answer to an upgrade that Node has let go of. */
  respondToUpgrade(): ServerResponse {
    const response = respondOn(this.incoming!);
    this.#response = response;
    return response;
  }

  /** Whether the answer must say that the connection ends with it. */
  get closesConnection(): boolean {
    return (
      this.engine.draining ||
      this.request.endsConnection ||
      this.connection.ending
    );
  }

  /**
   * Says which tunnel serves it, and counts it among the requests there until it is over.
   *
   * @returns whether its visitor may have one more there
   */
  enterTunnel(tunnel: TunnelState): boolean {
    this.leaveCount();
    this.tunnel = tunnel;
    this.#counted = true;
    this.share = tunnel.shares.enter(
      this.visitor === this.connection.address
        ? this.connection.key
        : visitorKey(this.visitor),
    );
    return !tunnel.shares.exceeded(this.share);
  }

  /** Is no longer counted: it is over, or a WebSocket now. */
  leaveCount(): void {
    if (this.#counted) this.tunnel!.shares.leave(this.share!);
    this.#counted = false;
  }

  /**
   * Answers with an error page of the edge and is over; cuts the answer off where one has begun. Whoever calls has let
   * go of the upstream.
   */
  answer(refusal: Refusal): void {
    if (this.over) return;
    if (this.#response?.headersSent) return this.cut(refusal.code);
    const { response, request } = this;
    const tunnel = this.tunnel?.tunnel;
    const page = renderErrorPage(refusal, {
      hostname: this.hostname,
      accept: joinedField(request.rawHeaders, "accept"),
      upstream: tunnel?.upstream,
      reason: tunnel?.upstreamDown?.reason,
    });
    if (this.closesConnection) page.headers.push("Connection", "close");
    this.error = refusal.code;
    this.status = statusOf(refusal);
    response.writeHead(this.status, page.headers);
    if (!this.isHead) this.bytesOut = page.body.length;
    response.end(this.isHead ? undefined : page.body);
    this.finish();
  }

  /**
   * Ends the visitor's connection in the middle of the answer, so that nobody takes it for a whole one.
   */
  cut(code: VisitorErrorCode): void {
    if (this.over) return;
    this.error = code;
    // To HTTP/1.0 the end of the connection is the end of the body: only a reset tells the difference.
    this.connection.breakOff(this.request.httpVersionMinor === 0);
    this.finish();
  }

  /** The visitor is gone, or its connection is. */
  abort(): void {
    if (this.over) return;
    this.task?.abort();
    this.finish();
  }

  /** The answer is complete, or never will be. Tells the observer. */
  finish(): void {
    if (this.over) return;
    this.over = true;
    this.task = undefined;
    this.engine.visits.delete(this);
    tell(this);
    this.leaveCount();
    this.connection.visitOver(this);
  }
}

// An upgrade that is answered after all: Node has let go of the socket, so a response is put on it by hand.
function respondOn(request: EdgeRequest): ServerResponse {
  const { socket } = request;
  const response = new ServerResponse(request);
  response.on("error", ignoreError);
  response.shouldKeepAlive = false;
  try {
    response.assignSocket(socket);
  } catch {
    // An answer before it, on the same connection, is not quite out: nobody sends an upgrade behind another request.
    socket.destroy();
  }
  // Node's own server passes this on; without it a piped answer stops at the first full buffer.
  socket.on("drain", () => response.emit("drain"));
  response.on("finish", () => {
    response.detachSocket(socket);
    socket.destroySoon();
  });
  return response;
}

// A response fails when its socket does, and the socket's `close` is what ends the visit.
function ignoreError(): void {}
