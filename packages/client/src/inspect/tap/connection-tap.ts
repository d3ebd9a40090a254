// One connection between a visitor and the local service, seen from beside it: pairs requests with responses.
import type { HeaderLine } from "@expose/protocol";
import type { CaptureSink } from "../capture.ts";
import type { BlockPool } from "./block-pool.ts";
import {
  NO_BODY,
  planRequestBody,
  planResponseBody,
  type BodyPlan,
} from "./framing.ts";
import type { KeptBytes } from "./kept-bytes.ts";
import type { MessageHead } from "./llhttp.ts";
import {
  headerOf,
  OpenCapture,
  type ConnectionInfo,
  type KeepLimits,
} from "./open-capture.ts";
import type { RateBudget } from "../rate-budget.ts";
import { createEventReader, type EventReader } from "./event-reader.ts";
import { createSide, type NextMessage, type Side } from "./side.ts";
import type { Traffic } from "./traffic.ts";
import {
  trackRequest,
  trackResponse,
  type TrackedRequest,
  type TrackedResponse,
} from "./track-head.ts";
import { tapUpgraded } from "./upgraded.ts";

/** Takes copies of what passes. Its methods return at once and never throw; the buffers stay the stream's. */
export interface ConnectionTap {
  fromVisitor(chunk: Buffer): void;
  fromUpstream(chunk: Buffer): void;
  /** The upstream has said all that it had to say. */
  upstreamEnded(): void;
  /** Nothing passes any more. @param error why, when it did not end by itself */
  closed(error?: Error): void;
}

/** What all connections of a client share. */
export interface TapContext {
  readonly sink: CaptureSink;
  readonly limits: KeepLimits;
  readonly kept: KeptBytes;
  readonly pool: BlockPool;
  readonly budget: RateBudget;
  readonly traffic: Traffic;
}

interface Sides {
  readonly visitor: Side;
  readonly upstream: Side;
}

/** A request, until both it and its response are over. */
interface Entry {
  /** Absent when it passes unseen. */
  readonly capture: OpenCapture | undefined;
  method: string;
  /** It asks for another protocol: what follows it is not known to be HTTP until its response is there. */
  asksUpgrade: boolean;
}

// Pipelining that is deeper than this is no client's.
const MAX_PIPELINED = 1_000;
// A first request whose head is not over by then is none: it may be nothing but line ends, which come before one.
const MAX_PRELUDE_BYTES = 256 * 1_024;

// In a flood, and while traffic is heavy, each exchange takes as much of the budget as so many others.
const BUSY_COST = 4;

// In a flood nothing of a connection is read any more until it has been silent for so long behind an answer: the next
// byte is a request's first then. (A visitor who pauses in an upload that was answered early could make it read a part
// of that upload as a request; it shows something that was sent, under a wrong heading, and changes nothing.)
const PAUSE_MS = 50;

export function tapConnection(
  info: ConnectionInfo,
  context: TapContext,
): ConnectionTap {
  return new HttpConnection(info, context);
}

class HttpConnection implements ConnectionTap {
  readonly #info: ConnectionInfo;
  readonly #context: TapContext;
  /** Absent until there is something to read: in a flood most connections are not read at all. */
  #sides: Sides | undefined;
  /** Requests whose response is not over, oldest first. */
  readonly #waiting: Entry[] = [];
  /** The request that is coming in. */
  #incoming: Entry | undefined;
  /** Status of the response that is coming. */
  #status = 0;
  /** What came before the first request was understood: it may be no HTTP at all. */
  #prelude: Buffer[] | undefined = [];
  #preludeBytes = 0;
  /** Reads the response that is coming, when it is a stream of events. */
  #events: EventReader | undefined;
  #lastRequest: ({ text: string } & TrackedRequest) | undefined;
  #lastResponse:
    ({ text: string; method: string } & TrackedResponse) | undefined;
  #raw: OpenCapture | undefined;
  #switched: OpenCapture | undefined;
  #over = false;
  /** Nothing has come from the visitor. */
  #fresh = true;
  /** The next exchange has its part of the budget. */
  #admitted = false;
  /** Nothing is read; see PAUSE_MS. */
  #blind = false;
  /** When the service last spoke, while blind; below 0 once the visitor has spoken after it. */
  #answeredAt = -1;

  constructor(info: ConnectionInfo, context: TapContext) {
    this.#info = info;
    this.#context = context;
  }

  fromVisitor(chunk: Buffer): void {
    this.#context.traffic.pass(chunk.length);
    if (this.#over || (this.#blind && !this.#looksAgain())) return;
    if (this.#fresh && !this.#looksAtAll()) return;
    if (this.#raw) return this.#raw.request.add(chunk);
    this.#visitor.feed(chunk);
    if (this.#raw) this.#takeRaw("request", chunk);
    else if (this.#prelude) this.#keepPrelude(this.#prelude, chunk);
  }

  fromUpstream(chunk: Buffer): void {
    this.#context.traffic.pass(chunk.length);
    if (this.#over) return;
    if (this.#blind) {
      this.#answeredAt = performance.now();
      return;
    }
    if (this.#raw) return this.#raw.response.add(chunk);
    this.#upstream.feed(chunk);
    if (this.#raw) this.#takeRaw("response", chunk);
  }

  upstreamEnded(): void {
    if (!this.#over) this.#sides?.upstream.ended();
  }

  closed(error?: Error): void {
    if (this.#over) return;
    if (this.#prelude?.length && !this.#raw) this.#becomeRaw();
    const open = this.#openCaptures();
    this.#stop();
    for (const capture of open) {
      if (capture === this.#raw || capture === this.#switched)
        this.#finish(
          capture,
          error ? "aborted" : "complete",
          error && sentence(error),
        );
      else this.#finish(capture, "aborted", explainCut(capture, error));
    }
  }

  get #visitor(): Side {
    return (this.#sides ??= this.#createSides()).visitor;
  }

  get #upstream(): Side {
    return (this.#sides ??= this.#createSides()).upstream;
  }

  #createSides(): Sides {
    const visitor = createSide("request", {
      begin: () => this.#beginRequest(),
      head: (head) => this.#takeRequest(head),
      tracked: (text) => this.#trackRequest(text),
      body: (bytes) => this.#incoming?.capture?.request.add(bytes),
      end: (trailers) => this.#endRequest(trailers),
      fault: (reason) => this.#fault(`The request cannot be read. ${reason}`),
    });
    const upstream = createSide("response", {
      begin: () => this.#beginResponse(),
      head: (head) => this.#takeResponse(head),
      tracked: (text) => this.#trackResponse(text),
      body: (bytes) => this.#takeResponseBody(bytes),
      end: (trailers) => this.#endResponse(trailers),
      fault: (reason) => this.#fault(`The response cannot be read. ${reason}`),
    });
    return { visitor, upstream };
  }

  // The first byte of a connection. In a flood of short ones finding the ends of what is not captured would be felt.
  #looksAtAll(): boolean {
    this.#fresh = false;
    if (!this.#context.budget.flooded) return true;
    this.#admitted = this.#spend();
    this.#blind = !this.#admitted;
    if (this.#blind) this.#context.sink.missed(1);
    return this.#admitted;
  }

  /** A visitor speaks whom nobody listens to. */
  #looksAgain(): boolean {
    if (this.#answeredAt < 0) return false;
    const silentMs = performance.now() - this.#answeredAt;
    this.#answeredAt = -1;
    this.#blind = silentMs < PAUSE_MS;
    if (!this.#blind) return true;
    this.#context.budget.pass();
    this.#context.sink.missed(1);
    return false;
  }

  #keepPrelude(prelude: Buffer[], chunk: Buffer): void {
    this.#preludeBytes += chunk.length;
    prelude.push(Buffer.from(chunk));
    if (this.#preludeBytes > MAX_PRELUDE_BYTES) this.#becomeRaw();
  }

  #beginRequest(): NextMessage {
    const last = this.#waiting.at(-1);
    if (last?.asksUpgrade) return "hold";
    if (this.#waiting.length >= MAX_PIPELINED) return "fault";
    const capture = this.#admit();
    this.#incoming = { capture, method: "", asksUpgrade: false };
    return capture ? "capture" : "track";
  }

  #takeRequest(head: MessageHead): BodyPlan {
    const plan = planRequestBody(head.headers);
    const { capture } = this.#incoming!;
    capture!.takeRequestHead(head, plan);
    this.#expectResponse(head.method, head.upgrade);
    this.#context.sink.opened(capture!);
    return plan;
  }

  #trackRequest(text: string): BodyPlan {
    if (text !== this.#lastRequest?.text)
      this.#lastRequest = { text, ...trackRequest(text) };
    const { method, asksUpgrade, plan } = this.#lastRequest;
    this.#expectResponse(method, asksUpgrade);
    this.#context.sink.missed(1);
    return plan;
  }

  #expectResponse(method: string, asksUpgrade: boolean): void {
    this.#prelude = undefined;
    const entry = this.#incoming!;
    entry.method = method;
    entry.asksUpgrade = asksUpgrade;
    this.#waiting.push(entry);
  }

  #endRequest(trailers: readonly HeaderLine[]): void {
    const capture = this.#incoming?.capture;
    this.#incoming = undefined;
    if (!capture) return;
    capture.endRequest(trailers);
    if (capture.responseDone) this.#finish(capture, "complete");
    else this.#context.sink.changed(capture);
  }

  #beginResponse(): NextMessage {
    const entry = this.#waiting[0];
    if (!entry) {
      // Where the service speaks first it is no web server.
      if (this.#prelude) this.#becomeRaw();
      return "fault";
    }
    entry.capture?.beginResponse();
    return entry.capture ? "capture" : "track";
  }

  #takeResponse(head: MessageHead): BodyPlan {
    const { capture, method } = this.#waiting[0]!;
    this.#status = head.status;
    if (isInformational(head.status)) {
      capture!.takeInformational(head);
      return NO_BODY;
    }
    const plan = planResponseBody(head.status, method, head.headers);
    capture!.takeResponseHead(head, plan);
    this.#events = readEventsOf(capture!, head);
    this.#context.sink.changed(capture!);
    return plan;
  }

  #takeResponseBody(bytes: Buffer): void {
    const capture = this.#waiting[0]?.capture;
    if (!capture) return;
    capture.response.add(bytes);
    if (!this.#events) return;
    const before = capture.messageCount;
    this.#events.read(bytes);
    if (capture.messageCount > before) this.#context.sink.changed(capture);
  }

  #trackResponse(text: string): BodyPlan {
    const { method } = this.#waiting[0]!;
    // Comparing two names of one string costs nothing; looking through it again costs a third of all.
    if (
      text !== this.#lastResponse?.text ||
      method !== this.#lastResponse.method
    )
      this.#lastResponse = { text, method, ...trackResponse(text, method) };
    this.#status = this.#lastResponse.status;
    return this.#lastResponse.plan;
  }

  #endResponse(trailers: readonly HeaderLine[]): void {
    if (isInformational(this.#status)) return;
    const entry = this.#waiting.shift()!;
    this.#events = undefined;
    const { capture } = entry;
    if (this.#isSwitch(entry)) return this.#switch(capture);
    if (entry.asksUpgrade) this.#visitor.release();
    if (!capture) return this.#maybeLookAway();
    capture.endResponse(trailers);
    if (capture.requestDone) this.#finish(capture, "complete");
  }

  #maybeLookAway(): void {
    if (!this.#context.budget.flooded) return;
    if (this.#incoming !== undefined || this.#waiting.length > 0) return;
    this.#blind = true;
    this.#answeredAt = performance.now();
  }

  #isSwitch({ asksUpgrade, method }: Entry): boolean {
    if (this.#status === 101)
      return asksUpgrade && this.#incoming === undefined;
    return method === "CONNECT" && this.#status < 300;
  }

  #switch(capture: OpenCapture | undefined): void {
    this.#switched = capture;
    const tap = tapUpgraded(
      capture,
      this.#context.sink,
      (reason) => capture && this.#finish(capture, "broken", reason),
    );
    this.#visitor.divert((bytes) => tap.fromVisitor(bytes));
    this.#upstream.divert((bytes) => tap.fromUpstream(bytes));
  }

  // The first thing that comes tells whether it is HTTP; what goes wrong later is HTTP gone wrong.
  #fault(reason: string): void {
    if (this.#over || this.#raw) return;
    if (this.#prelude) return this.#becomeRaw();
    const open = this.#openCaptures();
    this.#stop();
    for (const capture of open) this.#finish(capture, "broken", reason);
  }

  #becomeRaw(): void {
    const capture = this.#incoming?.capture ?? this.#admit();
    if (!capture) {
      this.#context.sink.missed(1);
      return this.#stop();
    }
    this.#incoming = undefined;
    this.#visitor.stop();
    this.#upstream.stop();
    capture.kind = "raw";
    capture.request.framing = capture.response.framing = "close";
    this.#raw = capture;
    for (const chunk of this.#prelude ?? []) capture.request.add(chunk);
    this.#prelude = undefined;
    this.#context.sink.opened(capture);
  }

  #admit(): OpenCapture | undefined {
    const { limits, kept, pool } = this.#context;
    const admitted = this.#admitted || this.#spend();
    this.#admitted = false;
    return admitted
      ? new OpenCapture(this.#info, limits, kept, pool)
      : undefined;
  }

  #spend(): boolean {
    const { budget, traffic } = this.#context;
    return budget.admit(traffic.heavy || budget.flooded ? BUSY_COST : 1);
  }

  #takeRaw(side: "request" | "response", chunk: Buffer): void {
    this.#raw![side].add(chunk);
  }

  #finish(
    capture: OpenCapture,
    state: "complete" | "aborted" | "broken",
    note?: string,
  ): void {
    if (capture.close(state, note)) this.#context.sink.finished(capture);
  }

  #openCaptures(): Set<OpenCapture> {
    const all = [
      ...this.#waiting.map(({ capture }) => capture),
      this.#incoming?.method === "" ? undefined : this.#incoming?.capture,
      this.#switched,
      this.#raw,
    ];
    return new Set(all.filter((capture) => capture !== undefined));
  }

  #stop(): void {
    this.#over = true;
    this.#waiting.length = 0;
    this.#incoming = undefined;
    this.#prelude = undefined;
    this.#sides?.visitor.stop();
    this.#sides?.upstream.stop();
  }
}

const isInformational = (status: number): boolean =>
  status >= 100 && status < 200 && status !== 101;

function readEventsOf(
  capture: OpenCapture,
  { headers }: MessageHead,
): EventReader | undefined {
  const type = headerOf({ headers }, "content-type");
  if (type === undefined || !/^text\/event-stream(?:$|[;\s])/i.test(type))
    return undefined;
  capture.kind = "events";
  // What is compressed is shown as a body, once it has ended.
  if (headerOf({ headers }, "content-encoding") !== undefined) return undefined;
  return createEventReader(({ data, event, id }) => {
    const payload = Buffer.from(data);
    capture.addMessage({
      direction: "out",
      type: "event",
      bytes: payload.length,
      payload,
      event,
      eventId: id,
    });
  });
}

function explainCut(capture: OpenCapture, error: Error | undefined): string {
  if (capture.responseDone)
    return "The connection closed before the request was over.";
  if (capture.responseHead)
    return "The connection closed before the response was over.";
  return error
    ? `No response came. ${sentence(error)}`
    : "The connection closed before a response came.";
}

const sentence = ({ message }: Error): string =>
  /[.!?]$/.test(message) ? message : `${message}.`;
