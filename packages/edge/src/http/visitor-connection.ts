// One connection of a visitor: serves its requests one after the other, notices when it is gone or stuck, and ends it
// without tearing the last answer off.
import type { ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { ConnectionEnd } from "./connection-end.ts";
import type { EdgeRequest } from "./edge-request.ts";
import type { Engine, OpenConnection } from "./engine.ts";
import { renderRawResponse } from "./error-page.ts";
import { plainAddress, type Forwarded } from "./forwarded.ts";
import { MAX_PIPELINED_REQUESTS } from "./limits.ts";
import type { PlainAnswer } from "./plain-answer.ts";
import type { PlainBody } from "./plain-body.ts";
import { PlainLane, type LaneOwner } from "./plain-lane.ts";
import type { PlainRequest } from "./plain-request.ts";
import { serveRequest, serveUpgrade } from "./pipeline.ts";
import { tellUnread } from "./record.ts";
import type { Refusal } from "./refusal.ts";
import { Visit, type VisitConnection } from "./visit.ts";
import { visitorKey } from "./visitor-key.ts";

/** A connection of a visitor. It enters the engine's books when it is made and leaves them when the socket closes. */
export class VisitorConnection
  implements LaneOwner, OpenConnection, VisitConnection
{
  readonly engine: Engine;
  readonly address: string;
  readonly port: number;
  readonly trusted: boolean;
  readonly #socket: Socket;
  lastForwarded?:
    { readonly host: string; readonly forwarded: Forwarded } | undefined;
  readonly key: string;
  readonly #giveToNode: (socket: Socket) => void;
  /** Undefined once Node's server reads it. */
  #lane: PlainLane | undefined;
  #current: Visit | undefined;
  /** Pipelined requests, which wait: what a POST does must be done before the GET behind it (RFC 9112 section 9.3.2). */
  readonly #waiting: { visit: Visit; begin: (visit: Visit) => void }[] = [];
  /** Whether the bytes that follow cannot be a request any more. */
  #broken = false;
  #upgraded = false;
  /** Bytes that had come when the last answer ended; more means that a head is on its way. */
  #bytesAtIdle = 0;
  readonly #end: ConnectionEnd;
  /** When the last answer was out, or the connection began. */
  #idleSince: number;

  /** @param giveToNode makes Node's HTTP server read the socket from now on */
  constructor(
    engine: Engine,
    socket: Socket,
    giveToNode: (socket: Socket) => void,
  ) {
    this.engine = engine;
    this.#socket = socket;
    this.#giveToNode = giveToNode;
    this.address = plainAddress(socket.remoteAddress ?? "");
    this.port = socket.remotePort ?? 0;
    this.trusted = engine.proxies.has(this.address);
    this.key = visitorKey(this.address);
    this.#end = new ConnectionEnd(engine, socket);
    this.#idleSince = engine.coarseNow;
    engine.connections.add(this);
    const { perVisitor } = engine;
    perVisitor.set(this.key, (perVisitor.get(this.key) ?? 0) + 1);
    socket.on("end", this.#onEnd);
    socket.on("close", this.#onClose);
    // What went wrong is of no interest; `close` follows and ends what is running.
    socket.on("error", ignoreError);
    this.#lane = new PlainLane(socket, this, engine.lane);
  }

  /** How many connections its visitor has, as a share of what one may have. A trusted proxy speaks for many: 0. */
  get excess(): number {
    if (this.trusted) return 0;
    const { perVisitor, visitorsElsewhere, limits } = this.engine;
    const elsewhere = visitorsElsewhere?.(this.key) ?? 0;
    return (
      (perVisitor.get(this.key)! + elsewhere) / limits.connectionsPerVisitor
    );
  }

  get ending(): boolean {
    return this.#broken && this.#waiting.length === 0;
  }

  get idle(): boolean {
    return (
      this.#current === undefined &&
      this.#waiting.length === 0 &&
      !this.#broken &&
      !this.#end.draining &&
      this.#socket.bytesRead === this.#bytesAtIdle
    );
  }

  /** Takes a plain request. */
  receive(
    request: PlainRequest,
    body: PlainBody | undefined,
    response: PlainAnswer,
  ): void {
    if (this.#broken || !this.#socket.writable) return;
    this.#begin(new Visit(this, request, response, body), serveRequest);
  }

  headBegun(): void {
    this.#idleSince = this.engine.coarseNow;
  }

  /** Gives the connection to Node's server, which finds it as it would be without the lane. */
  leaveLane(): void {
    const socket = this.#socket;
    this.#lane = undefined;
    // Node's listeners come first, as on a connection that was its own from the beginning.
    socket.off("end", this.#onEnd);
    socket.off("close", this.#onClose);
    this.#giveToNode(socket);
    socket.on("end", this.#onEnd);
    socket.on("close", this.#onClose);
  }

  /** Takes a request from Node. @param awaitsContinue whether the visitor waits for 100 Continue before the body */
  receiveFromNode(
    request: EdgeRequest,
    response: ServerResponse,
    awaitsContinue: boolean,
  ): void {
    response.on("error", ignoreError);
    // Behind an answer that ends the connection, or on one that is half closed already.
    if (this.#broken || !this.#socket.writable) return;
    if (this.#waiting.length >= MAX_PIPELINED_REQUESTS) return this.destroy();
    const visit = new Visit(
      this,
      request,
      response,
      request,
      request,
      awaitsContinue,
    );
    // Node gives a response its socket when the one before it is out, so this is the order of the answers as well.
    if (response.socket && !this.#socket.writableNeedDrain)
      return this.#begin(visit, serveRequest);
    this.#waiting.push({ visit, begin: serveRequest });
    if (response.socket) this.#next();
    else response.once("socket", () => this.#next());
  }

  /** Takes a WebSocket upgrade. @param head what came behind it already */
  receiveUpgrade(request: EdgeRequest, head: Buffer): void {
    // Node has let go of the socket: an answer that is still running would not even hear that it drains.
    if (this.#current || this.#waiting.length > 0 || this.#broken)
      return this.destroy();
    this.#broken = true;
    this.#begin(
      new Visit(this, request, undefined, request, request),
      (visit) => serveUpgrade(visit, this.#socket, head),
    );
  }

  /**
   * Takes what could not be read, or did not come in time.
   *
   * @param ended whether the visitor has half-closed in the middle of it
   */
  reject(refusal: Refusal, ended: boolean): void {
    const last = this.#waiting.at(-1);
    const visit = last?.visit ?? this.#current;
    const inBody = visit?.body?.complete === false;
    if (this.#broken && !inBody) return;
    // Nobody who half-closes in a body reads the answer; and nobody who has sent nothing waits for one.
    if (inBody && ended) return this.destroy();
    if (!visit && this.#socket.bytesRead === 0) return this.destroy();
    this.#broken = true;
    // It is the rest of a body that was answered already: a second answer would pass for that of the next request.
    if (!visit && this.#end.draining) return this.#end.soon();
    if (inBody && last) last.begin = (late) => late.answer(refusal);
    else if (inBody) {
      visit.task?.abort();
      visit.answer(refusal);
    }
    // Behind a request that is being answered: nothing can be said before that answer is complete, and nothing is then.
    if (visit) return;
    if (!this.#socket.writable) return this.destroy();
    tellUnread(this.engine, this.address, refusal);
    this.sayAndClose(refusal);
  }

  /** Answers without having read a request, and closes. */
  sayAndClose(refusal: Refusal): void {
    this.#broken = true;
    this.#socket.end(renderRawResponse(refusal, new Date(this.engine.now())));
    this.#end.drain();
  }

  visitOver(visit: Visit): void {
    if (visit !== this.#current) {
      const at = this.#waiting.findIndex((entry) => entry.visit === visit);
      if (at >= 0) this.#waiting.splice(at, 1);
      return;
    }
    this.#current = undefined;
    if (!this.#socket.writable || this.#upgraded) return;
    this.#bytesAtIdle = this.#socket.bytesRead;
    this.#idleSince = this.engine.coarseNow;
    if (visit.body)
      this.#end.finishReading(visit.body, visit.isUpgrade, () => {
        this.#bytesAtIdle = this.#socket.bytesRead;
        return !this.#broken;
      });
    if (this.#waiting.length > 0) return;
    // The answer may have begun before the edge began to stop, and promised to serve another.
    if (this.engine.draining) this.#broken = true;
    const asked = this.#lane?.finished() === true;
    if (asked && this.#end.draining) this.#broken = true;
    if (this.#broken) visit.response.once("finish", () => this.#end.soon());
    else if (asked) this.#end.now();
  }

  upgrade(): void {
    this.#upgraded = true;
    this.lastForwarded = undefined;
  }

  endGently(): void {
    this.#broken = true;
    this.#end.soon();
  }

  untilClosed(): Promise<void> {
    return new Promise((resolve) =>
      this.#socket.once("close", () => resolve()),
    );
  }

  destroy(): void {
    this.#socket.destroy();
  }

  breakOff(reset: boolean): void {
    this.#broken = true;
    this.#end.breakOff(reset);
  }

  /** Takes no request any more. Those that it has are served. */
  stopReceiving(): void {
    this.#broken = true;
    // The last answer promised another: to Node's parser, Connection: close in a trailer ends the connection as well.
    if (!this.#current && this.#waiting.length === 0) this.#end.soon();
  }

  stopServing(): void {
    this.#broken = true;
    for (const { visit } of this.#waiting.splice(0)) visit.abort();
  }

  checkRequest(now: number): void {
    this.#current?.task?.check(now);
  }

  check(now: number): void {
    if (this.#end.isOverdue(now)) this.destroy();
    else if (this.#lane && this.#idlesTooLong(now)) {
      if (this.#lane.inHead) this.reject({ code: "request-timeout" }, false);
      else this.destroy();
    }
  }

  // Node closes idle connections in time; those in the lane it does not know of.
  #idlesTooLong(now: number): boolean {
    if (this.#current || this.#broken) return false;
    // Its visitor is slow; isOverdue() knows one who reads nothing.
    if (this.#socket.writableLength > 0) {
      this.#idleSince = now;
      return false;
    }
    const { headersMs, keepAliveMs } = this.engine.timeouts;
    const awaitsHead = this.#socket.bytesRead === 0 || this.#lane?.inHead;
    const limitMs = awaitsHead ? headersMs : keepAliveMs;
    return now - this.#idleSince > limitMs;
  }

  // Not before what is out has gone out, or a visitor who asks and never reads would fill the memory with answers. Node
  // stops reading such a connection, but goes on as soon as the next answer begins.
  #next(): void {
    if (this.#socket.writableNeedDrain)
      return void this.#socket.once("drain", () => this.#next());
    const next = this.#waiting.shift();
    if (next) this.#begin(next.visit, next.begin);
  }

  #begin(visit: Visit, begin: (visit: Visit) => void): void {
    this.#current = visit;
    begin(visit);
  }

  // The visitor has half-closed. Whoever does that while an answer is due has gone away: browsers close like this, and
  // no other sign of it would come before something is written.
  readonly #onEnd = (): void => {
    if (this.#current && !this.#current.over && !this.#upgraded) this.destroy();
    else if (this.#lane?.inHead) this.reject({ code: "request-invalid" }, true);
    else if (this.#lane) this.#socket.end();
  };

  readonly #onClose = (): void => {
    const { engine } = this;
    engine.connections.delete(this);
    const left = engine.perVisitor.get(this.key)! - 1;
    if (left > 0) engine.perVisitor.set(this.key, left);
    else engine.perVisitor.delete(this.key);
    for (const { visit } of this.#waiting.splice(0)) visit.abort();
    this.#current?.abort();
  };
}

// The socket fails on its own, and its `close` tells.
function ignoreError(): void {}
