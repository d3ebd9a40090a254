// The upstream phase of a plain request: takes a connection, sends the request, passes the answer on, and gives the
// connection back if nothing about it is in doubt.
import { kept } from "@expose/protocol";
import { lines, pairs, without } from "./header-lists.ts";
import type { Freshness, NoConnection, PoolWaiter } from "./pool.ts";
import type { Refusal } from "./refusal.ts";
import { decideFailure, type FailedAttempt } from "./relay-failure.ts";
import { decideDue } from "./relay-limits.ts";
import { RequestBody } from "./request-body.ts";
import type { ResponseHead } from "./response-head.ts";
import type { EvictionLoss, Share, Sharer } from "./shares.ts";
import { onceClosedOrLate, onceSureOfUpstream } from "./tunnel-end.ts";
import type { TunnelState } from "./tunnel-state.ts";
import type {
  ConnectionFailure,
  ConnectionUser,
  UpstreamConnection,
} from "./upstream-connection.ts";
import type { Visit, VisitTask } from "./visit.ts";

/** What its connection tells of an attempt that failed. */
type Attempt = Pick<FailedAttempt, "failure" | "answered" | "served" | "spare">;

/** Serves one visit from its tunnel's upstream. Good for one attempt. */
export class Relay implements VisitTask, Sharer, PoolWaiter, ConnectionUser {
  readonly #visit: Visit;
  readonly #tunnel: TunnelState;
  readonly #head: string;
  readonly #framing: number;
  readonly #retry: () => void;
  readonly #share: Share;
  /** Whether it waits for its visitor's share of the tunnel. */
  #waitsForShare = true;
  #connection: UpstreamConnection | undefined;
  #body: RequestBody | undefined;
  /** Whether the body waits for 100 Continue. */
  #awaitsContinue: boolean;
  #answerHead: ResponseHead | undefined;
  /** Whether the answer's head waits for the first piece of its body. */
  #unflushed = false;
  /** Whether the visitor's side has all of the answer. */
  #ended = false;
  /** Whether the upstream is kept from sending because the visitor does not keep up. */
  #held = false;
  /** How long it was kept so at most, before the visitor read on. */
  #longestHoldMs = 0;
  /** When the last thing happened, by the coarse clock. */
  #movedAt: number;

  /**
   * @param head the request's head as it goes to the upstream
   * @param framing of the body, as framing.ts decided
   * @param expectContinue whether `head` asks for 100 Continue
   * @param retry finds the tunnel anew and tries once more
   */
  constructor(
    visit: Visit,
    head: string,
    framing: number,
    expectContinue: boolean,
    retry: () => void,
  ) {
    this.#visit = visit;
    this.#tunnel = visit.tunnel!;
    this.#share = visit.share!;
    this.#head = head;
    this.#framing = framing;
    this.#awaitsContinue = expectContinue;
    this.#retry = retry;
    this.#movedAt = visit.engine.coarseNow;
    visit.task = this;
  }

  /** Begins. */
  start(): void {
    this.#tunnel.shares.take(this.#share, this);
  }

  onShare(): void {
    this.#waitsForShare = false;
    const connection = this.#tunnel.pool.take(
      this,
      this.#freshness(),
      this.#visit.engine.coarseNow,
    );
    if (connection) this.onConnection(connection);
  }

  get evictionLoss(): EvictionLoss {
    const { connectedAt, engine } = this.#visit;
    if (connectedAt === 0 || engine.coarseNow - connectedAt <= EVICTABLE_MS)
      return undefined;
    if (!this.#answerHead) return 0;
    return engine.coarseNow - this.#movedAt > EVICTABLE_MS ? 1 : 2;
  }

  get stalledSince(): number | undefined {
    if (!this.#held) return undefined;
    const quietMs = this.#visit.engine.coarseNow - this.#movedAt;
    const patienceMs = Math.max(
      STALLED_MS,
      Math.min(HOLD_FACTOR * this.#longestHoldMs, MAX_PATIENCE_MS),
    );
    return quietMs > patienceMs ? this.#movedAt : undefined;
  }

  evict(): void {
    const stalled = this.stalledSince !== undefined;
    const { socket } = this.#visit.response;
    this.#end({ code: "tunnel-busy", retryAfterS: 10 });
    // Otherwise the system would keep what its visitor does not read, megabytes of it, and offer it for minutes.
    if (stalled) socket?.resetAndDestroy();
  }

  onConnection(connection: UpstreamConnection): void {
    const visit = this.#visit;
    this.#connection = connection;
    visit.connectedAt = visit.engine.clock();
    this.#movedAt = visit.connectedAt;
    connection.begin(this, visit.isHead);
    if (this.#framing === 0) connection.writeWhole(this.#head);
    else if (this.#awaitsContinue) connection.write(this.#head);
    else this.#sendBody(this.#head);
  }

  onNoConnection(reason: NoConnection): void {
    if (reason === "down") this.#refuse({ code: "upstream-down" });
    else if (this.#visit.rerouted)
      this.#refuse({ code: "forward-failed", retryAfterS: 1 });
    else this.#reroute();
  }

  onInterim(head: ResponseHead): void {
    this.#moved();
    if (head.status === 100) this.#continue();
    else if (head.status === 103) this.#passHints(head);
  }

  onHead(head: ResponseHead): void {
    const visit = this.#visit;
    const { response, request } = visit;
    visit.firstByteAt = visit.engine.clock();
    this.#movedAt = visit.firstByteAt;
    visit.status = head.status;
    this.#answerHead = head;
    const noBody = visit.isHead || head.status === 204 || head.status === 304;
    const isOld = request.httpVersionMinor === 0;
    let { headers } = head;
    // HTTP/1.0 knows no chunks: there the end of the connection is the end of the body, even if it asks for them (TE).
    if (isOld) response.removeHeader("Transfer-Encoding");
    if (head.announcesTrailers && (!head.chunked || isOld || noBody))
      headers = without(headers, "trailer");
    if (visit.closesConnection || (isOld && !noBody && head.contentLength < 0))
      headers.push("Connection", "close");
    response.sendDate = false;
    response.writeHead(head.status, head.reason, headers);
    this.#unflushed = true;
  }

  onBody(chunk: Buffer, last: boolean): boolean {
    const visit = this.#visit;
    this.#moved();
    visit.bytesOut += chunk.length;
    this.#unflushed = false;
    // A plain answer takes what it is lent; Node's keeps what it is given.
    const piece = visit.incoming ? kept(chunk) : chunk;
    if (last) {
      this.#ended = true;
      visit.response.end(piece);
    } else if (!visit.response.write(piece) && !this.#held) this.#hold();
    return visit.response.keepsNothing === true;
  }

  onPause(): void {
    if (!this.#unflushed) return;
    this.#unflushed = false;
    this.#visit.response.flushHeaders();
  }

  onEnd(trailers: readonly string[], reusable: boolean): void {
    const visit = this.#visit;
    const connection = this.#connection!;
    const { response } = visit;
    const head = this.#answerHead!;
    const sentAll =
      this.#framing === 0 || (this.#body !== undefined && this.#body.done);
    this.#letGo();
    if (!this.#ended) {
      if (trailers.length > 0 && visit.request.httpVersionMinor === 1)
        response.addTrailers(pairs(trailers));
      response.end();
    }
    // An answer that came before the request was complete leaves the connection in a state that nobody knows.
    if (reusable && sentAll)
      this.#tunnel.pool.giveBack(
        connection,
        head.keepAliveTimeoutS,
        visit.firstByteAt,
        visit.engine.clock(),
      );
    else connection.destroy();
    visit.finish();
  }

  onDrain(): void {
    this.#body?.drained();
  }

  onFailure(failure: ConnectionFailure): void {
    const { answered, served, spare } = this.#connection!;
    this.#fail({ failure, answered, served, spare });
  }

  abort(): void {
    this.#tunnel.pool.cancel(this);
    const connection = this.#connection;
    this.#letGo();
    connection?.destroy();
  }

  check(now: number): void {
    const body = this.#body;
    const due = decideDue(
      {
        quietMs: now - Math.max(this.#movedAt, body?.movedAt ?? 0),
        connected: this.#connection !== undefined,
        crowded: this.#tunnel.pool.full || this.#waitsForShare,
        awaitsContinue: this.#awaitsContinue,
        awaitsBody: body !== undefined && !body.done && !body.blocked,
        answered: this.#answerHead !== undefined,
        held: this.#held,
      },
      this.#visit.engine.timeouts,
    );
    if (due === "continue") this.#continue();
    else if (due) this.#end(due);
  }

  // What cannot be repeated had better not meet a connection that is about to close.
  #freshness(): Freshness {
    const visit = this.#visit;
    if (visit.retried) return "new";
    return this.#isRepeatable() ? "any" : "lively";
  }

  #sendBody(head: string): void {
    this.#body = new RequestBody(
      this.#visit,
      this.#connection!,
      this.#framing,
      head,
    );
    this.#body.start();
  }

  // RFC 9110 section 10.1.1: the visitor hears the upstream's 100, or ours when the upstream says nothing for a while,
  // since servers that do not know of it wait for the body.
  #continue(): void {
    if (!this.#awaitsContinue) return;
    this.#awaitsContinue = false;
    this.#visit.response.writeContinue();
    this.#sendBody("");
  }

  // Early hints (RFC 8297). Node's writeEarlyHints would rewrite them.
  #passHints(head: ResponseHead): void {
    const { response, request } = this.#visit;
    if (request.httpVersionMinor === 0) return;
    const text = `HTTP/1.1 103 Early Hints\r\n${lines(head.headers)}\r\n`;
    // No socket: the answer before this one, on the same connection, is not quite out yet. Hints can be missed.
    response.socket?.write(text, "latin1");
  }

  #hold(): void {
    const connection = this.#connection!;
    this.#held = true;
    connection.pause();
    this.#visit.response.once("drain", () => {
      this.#held = false;
      if (this.#connection !== connection) return;
      this.#longestHoldMs = Math.max(
        this.#longestHoldMs,
        this.#visit.engine.coarseNow - this.#movedAt,
      );
      this.#moved();
      connection.resume();
    });
  }

  #isRepeatable(): boolean {
    return this.#framing === 0 && isRepeatable(this.#visit.request.method);
  }

  #fail(attempt: Attempt, isLate = false): void {
    const { retried, rerouted } = this.#visit;
    const { tunnel } = this.#tunnel;
    const next = decideFailure({
      ...{ ...attempt, retried, rerouted },
      repeatable: this.#isRepeatable(),
      tunnelGone: tunnel.closed || tunnel.forward.closed,
    });
    if (typeof next !== "object") {
      // It was sent, and may have been read.
      this.#visit.retried = true;
      if (next === "again") this.#tryAgain();
      else this.#reroute();
    } else if (next.code !== "upstream-down" || isLate) this.#refuse(next);
    else onceSureOfUpstream(this.#visit, () => this.#fail(attempt, true));
  }

  #tryAgain(): void {
    this.#letGo();
    // Later: when a session ends its connections end first, and the tunnel is still there for the rest of this turn.
    setImmediate(this.#retry);
  }

  // Nothing was sent, so whoever holds the name in a moment may serve it. When a client is lost its forward fails before
  // the edge hears that the session has ended; then the visitor waits for the client like those who come later.
  #reroute(): void {
    this.#letGo();
    this.#visit.rerouted = true;
    onceClosedOrLate(this.#tunnel.tunnel, REROUTE_MS, () =>
      setImmediate(this.#retry),
    );
  }

  #refuse(refusal: Refusal): void {
    this.#letGo();
    this.#visit.answer(refusal);
  }

  #end(refusal: Refusal): void {
    this.abort();
    this.#visit.answer(refusal);
  }

  #letGo(): void {
    this.#body?.stop();
    this.#connection = undefined;
    this.#visit.task = undefined;
    // Whoever waits for it may go on at once.
    this.#tunnel.shares.giveBack(this.#share, this);
  }

  #moved(): void {
    this.#movedAt = this.#visit.engine.coarseNow;
  }
}

// More than most requests take, and little enough to wait for.
const EVICTABLE_MS = 5_000;

// How long a visitor may read nothing while others wait, and how much longer than it did before it read on: the system tells
// of a slow reader again when a third of what it holds for them has gone, and holds more each time.
const STALLED_MS = 3_000;
const HOLD_FACTOR = 3;
const MAX_PATIENCE_MS = 30_000;

// How far apart the end of a forward and the end of its session may be.
const REROUTE_MS = 1_000;

const isRepeatable = (method: string | undefined): boolean =>
  method === "GET" || method === "HEAD" || method === "OPTIONS";
