// One request of a visitor, from its head to the end of its answer: the facts about it, and the ways that it can end.
import type { VisitorErrorCode } from "@expose/protocol";
import type { ServerResponse } from "node:http";
import type { RequestRecord } from "../access-log/record.ts";
import type { EdgeRequest } from "./edge-request.ts";
import type { Engine } from "./engine.ts";
import { renderErrorPage, statusOf } from "./error-page.ts";
import type { Peer } from "./forwarded.ts";
import { tell } from "./record.ts";
import type { Refusal } from "./refusal.ts";
import type { Share } from "./shares.ts";
import { joinedField } from "./request-head.ts";
import type { TunnelState } from "./tunnel-state.ts";
import { respondOn } from "./upgrade-response.ts";
import type { VisitorBody } from "./visitor-body.ts";
import type { VisitorRequest, VisitorResponse } from "./visitor-message.ts";
import { visitorKey } from "./visitor-key.ts";

/** What a visit is busy with, as far as others can end it. */
export interface VisitTask {
  /** Ends the visit if a time limit has passed. @param now by the engine's clock */
  check(now: number): void;
  /** Lets go of all that it holds, and answers nothing. */
  abort(): void;
}

/** The connection of a visitor, as its requests see it. */
export interface VisitConnection extends Peer {
  readonly engine: Engine;
  readonly port: number;
  /** What its visitor is counted by. */
  readonly key: string;
  /** Whether no request after the one at hand will be served. */
  readonly ending: boolean;
  /** The visit is over. */
  visitOver(visit: Visit): void;
  /** From now on the socket belongs to a WebSocket, and its half-close is no abort. */
  upgrade(): void;
  /** Serves no request after the one at hand: nobody knows for sure where the next one began. */
  stopServing(): void;
  /**
   * Closes in the middle of an answer, as soon as what there is of it has gone out.
   *
   * @param reset whether the end of the connection would pass for the end of the answer
   */
  breakOff(reset: boolean): void;
  /** Closes at once. */
  destroy(): void;
}

/** One request. It is over exactly once, and the observer hears of it then. */
export class Visit {
  readonly engine: Engine;
  readonly connection: VisitConnection;
  request: VisitorRequest;
  /** Undefined for a plain request without one, and for a WebSocket. */
  body: VisitorBody | undefined;
  /** The request as Node has it; undefined for a plain one, and for a WebSocket. */
  incoming: EdgeRequest | undefined;
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
    connection: VisitConnection,
    request: VisitorRequest,
    response: VisitorResponse | undefined,
    body: VisitorBody | undefined,
    incoming?: EdgeRequest,
    awaitsContinue = false,
  ) {
    this.engine = connection.engine;
    this.connection = connection;
    this.request = request;
    this.body = body;
    this.incoming = incoming;
    this.#response = response;
    this.awaitsContinue = awaitsContinue;
    this.isHead = request.method === "HEAD";
    this.isUpgrade = response === undefined;
    this.visitor = connection.address;
    this.startedAt = this.engine.now();
    this.start = this.engine.clock();
    this.engine.coarseNow = this.start;
    this.engine.requests++;
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

  /**
   * It is a WebSocket from now on. It may stay open for days, so all that it keeps of its request is what is told in
   * the end.
   */
  becomeWebSocket(): void {
    this.upgraded = true;
    this.leaveCount();
    this.share = undefined;
    const { method, url, httpVersion, httpVersionMinor, rawHeaders } =
      this.request;
    this.request = {
      ...{ method, url, httpVersion, httpVersionMinor, rawHeaders },
      endsConnection: true,
    };
    this.body = undefined;
    this.incoming = undefined;
    this.connection.upgrade();
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
    this.engine.requests--;
    tell(this.engine, this.#asRecord());
    this.leaveCount();
    this.connection.visitOver(this);
  }

  #asRecord(): RequestRecord {
    const { request, start } = this;
    const tunnel = this.tunnel?.tunnel;
    return {
      startedAt: this.startedAt,
      tunnel: tunnel?.name,
      identity: tunnel?.identityId,
      visitor: this.visitor,
      method: request.method ?? "",
      target: request.url ?? "",
      host: this.hostname,
      httpVersion: request.httpVersion,
      rawHeaders: request.rawHeaders,
      status: this.status,
      error: this.error,
      upgraded: this.upgraded,
      routeMs: this.routedAt === 0 ? 0 : this.routedAt - start,
      connectMs: this.connectedAt === 0 ? undefined : this.connectedAt - start,
      firstByteMs:
        this.firstByteAt === 0 ? undefined : this.firstByteAt - start,
      totalMs: this.engine.clock() - start,
      bytesIn: this.bytesIn,
      bytesOut: this.bytesOut,
      retried: this.retried,
    };
  }
}
