// Measures the path under an SSH connection and says how much may be on its way: enough to keep the line busy, and little
// enough that what comes next does not wait for seconds. Nothing but the peer knows what has arrived, since the operating
// system takes megabytes at once, so markers travel with the data: requests that every SSH peer answers in order.
// Decides only; ssh-flow.ts does it. Times in milliseconds, rates in bytes per millisecond.

/** What the meter is given. */
export interface PathMeterOptions {
  /**
   * Sends a request that the peer answers when it has taken all that was sent before.
   * @param onReply to be called with the answer, and not when the connection is lost
   */
  readonly ping: (onReply: () => void) => void;
  /** Monotonic, milliseconds. */
  readonly now: () => number;
  /** Called when {@link PathMeter.room} may have grown. */
  readonly onRoom: () => void;
}

/** Watches one connection. Holds no timer: without traffic nothing happens. */
export interface PathMeter {
  /** Round trip without what queues on the way; undefined before the first answer. */
  readonly roundTripMs: number | undefined;
  /** Whether little should be on its way for a moment, so that the round trip can be measured without a queue. */
  readonly isProbing: boolean;
  /** Bytes that may be sent on top of those on their way; zero or less when there are enough. */
  room(): number;
  /** Takes note of data that was handed to the connection. */
  sent(bytes: number): void;
  /** Measures the round trip if that was long ago; for whoever receives much and sends nothing. */
  refresh(): void;
}

// Until the line is known. As much in the first round trip as TCP itself sends in its first four.
const START_BYTES = 256 * 1024;
// One piece as Node reads them: with less on their way some sources would take turns being alone on the line.
const MIN_BYTES = 64 * 1024;
const MAX_BYTES = 64 * 1024 ** 2;
// Each marker costs a packet both ways, and without one for each part of what is on its way nobody knows when it arrived.
const MARK_BYTES = 64 * 1024;
const MARK_PART = 1 / 8;
// What may queue: for the time between two answers, so that the line does not run dry.
const QUEUE_MS = 10;
// While the rate still grows, so much that it can double with each round trip (2 / ln 2, as BBR has it, because a rate is
// known one round trip late); then hardly more than the line holds.
const SEARCH_GAIN = 2.89;
const STEADY_GAIN = 1.1;
const PROBE_GAIN = 0.75;
// A round trip measured beside a queue is none, and the queue is of our own making: so now and then it is let run dry.
const PROBE_EVERY_MS = 10_000;
const PROBE_SAMPLES = 3;
// What queues in the other direction is not ours to let run dry: one probe is not believed everything.
const MAX_GROWTH = 2;
const MAX_GROWTH_MS = 20;
// A server that has just let somebody in does other things first: sshd answers the first marker late.
const FIRST_MARKS = 3;
const FORGET_MS = 10_000;

/** Starts to measure, with a few markers one after the other. */
export const createPathMeter = (options: PathMeterOptions): PathMeter =>
  new MarkedPath(options);

// A class, as everything here of which each connection or channel has one: an object whose getters are made with it
// takes half a kilobyte for its table of properties, and each function of its own 64 bytes more.
class MarkedPath implements PathMeter {
  readonly #options: PathMeterOptions;
  readonly #rate = createRateFilter();
  #sent = 0;
  #delivered = 0;
  #deliveredAt = 0;
  #departedAt = 0;
  #marked = 0;
  #busyAt = -Infinity;
  #answeredAt = -Infinity;
  #outstanding = 0;
  #warmUp = FIRST_MARKS - 1;
  #wasFull = false;
  #roundEnd = 0;
  // A peer that has not answered yet is not waited for.
  #limit = Infinity;
  #onTheLine = Infinity;
  #spacing = MARK_BYTES;
  #roundTrip: number | undefined;
  #roundTripAt = 0;
  #probe: { from: number; samples: number; least: number } | undefined;

  constructor(options: PathMeterOptions) {
    this.#options = options;
    this.#mark(options.now());
  }

  get roundTripMs(): number | undefined {
    return this.#roundTrip;
  }

  get isProbing(): boolean {
    return this.#probe !== undefined;
  }

  room(): number {
    return this.#limit - (this.#sent - this.#delivered);
  }

  sent(bytes: number): void {
    this.#sent += bytes;
    // As much as the line holds, if it is as fast as was thought: then it shows whether it is.
    if (this.#sent - this.#delivered >= Math.min(this.#limit, this.#onTheLine))
      this.#wasFull = true;
    this.#markIfDue();
  }

  refresh(): void {
    const at = this.#options.now();
    const apart =
      this.#probe === undefined ? 1_000 : (this.#roundTrip ?? 0) / 4;
    if (this.#outstanding === 0 && at - this.#answeredAt >= apart)
      this.#mark(at);
  }

  get #isFull(): boolean {
    return this.#sent - this.#delivered >= this.#limit;
  }

  #mark(at: number): void {
    // The first one after a pause: the time before it says nothing about the line.
    if (this.#outstanding === 0) {
      this.#deliveredAt = at;
      this.#departedAt = at;
    }
    if (this.#sent > this.#marked) {
      if (at - this.#busyAt > FORGET_MS) {
        this.#rate.forget();
        if (this.#roundTrip !== undefined)
          this.#limit = Math.min(this.#limit, START_BYTES);
      }
      this.#busyAt = at;
    }
    const before: Marker = {
      sent: this.#sent,
      at,
      delivered: this.#delivered,
      deliveredAt: this.#deliveredAt,
      departedAt: this.#departedAt,
    };
    this.#marked = this.#sent;
    this.#outstanding++;
    this.#options.ping(() => this.#answered(before));
  }

  #answered(marker: Marker): void {
    const at = this.#options.now();
    this.#outstanding--;
    this.#answeredAt = at;
    this.#measureRoundTrip(marker, at);
    // What was lost and sent again arrives all at once with what waited for it, faster than any line.
    const elapsed = Math.max(
      at - marker.deliveredAt,
      marker.at - marker.departedAt,
    );
    if (marker.sent > marker.delivered && elapsed > 0)
      this.#rate.add((marker.sent - marker.delivered) / elapsed);
    if (marker.sent > this.#delivered) {
      this.#delivered = marker.sent;
      this.#deliveredAt = at;
      this.#departedAt = marker.at;
    }
    if (marker.delivered >= this.#roundEnd) {
      this.#rate.endRound(this.#wasFull);
      this.#wasFull = false;
      this.#roundEnd = this.#delivered;
    }
    this.#limit = this.#nextLimit();
    this.#spacing = Math.max(MARK_BYTES, MARK_PART * this.#limit);
    if (this.#warmUp > 0) {
      this.#warmUp--;
      this.#mark(at);
    }
    // On a slow line one piece alone takes longer than the round trip, and a marker behind it would measure the piece.
    if (this.#probe !== undefined && this.#sent === this.#delivered)
      this.#mark(at);
    else this.#markIfDue();
    if (!this.#isFull) this.#options.onRoom();
  }

  #measureRoundTrip(marker: Marker, at: number): void {
    const sample = at - marker.at;
    if (this.#roundTrip === undefined || sample < this.#roundTrip)
      this.#roundTrip = sample;
    // As good as the least one that there ever was: there is no queue, or none that lasts.
    if (sample <= this.#roundTrip * 1.05 + 0.5) this.#roundTripAt = at;
    const probe = this.#probe;
    if (probe === undefined) {
      if (at - this.#roundTripAt < PROBE_EVERY_MS) return;
      // What is on its way now has to arrive first.
      this.#probe = {
        from: at + 1.5 * this.#roundTrip,
        samples: 0,
        least: Infinity,
      };
    } else if (marker.at >= probe.from) {
      probe.least = Math.min(probe.least, sample);
      if (++probe.samples < PROBE_SAMPLES) return;
      this.#roundTrip = Math.min(
        probe.least,
        MAX_GROWTH * this.#roundTrip + MAX_GROWTH_MS,
      );
      this.#roundTripAt = at;
      this.#probe = undefined;
    }
  }

  // Called with an answer, so that the round trip is known.
  #nextLimit(): number {
    const { best, isSteady } = this.#rate;
    if (best === 0) return START_BYTES;
    this.#onTheLine = best * this.#roundTrip!;
    if (this.#probe !== undefined) return PROBE_GAIN * this.#onTheLine;
    const queue = Math.max(MIN_BYTES, QUEUE_MS * best);
    if (isSteady)
      return Math.min(MAX_BYTES, STEADY_GAIN * this.#onTheLine + queue);
    return Math.min(
      MAX_BYTES,
      Math.max(START_BYTES, SEARCH_GAIN * this.#onTheLine + queue),
    );
  }

  #markIfDue(): void {
    // One that never answers is asked no more, or those who wait for its answers would pile up.
    if (this.#roundTrip === undefined) return;
    const unmarked = this.#sent - this.#marked;
    if (
      unmarked >= this.#spacing ||
      (this.#isFull && this.#isDueWhenFull(unmarked))
    )
      this.#mark(this.#options.now());
  }

  // Nobody would ever hear that a path without a marker has room again.
  #isDueWhenFull(unmarked: number): boolean {
    return unmarked >= this.#spacing / 2 || this.#outstanding === 0;
  }
}

interface Marker {
  /** Bytes that went before it. */
  readonly sent: number;
  readonly at: number;
  /** Bytes that had arrived when it was sent, and since when that was known. */
  readonly delivered: number;
  readonly deliveredAt: number;
  /** When the last of those had been sent. */
  readonly departedAt: number;
}

const ROUNDS = 5;
// A line whose rate has not grown by a quarter in three rounds is full (as BBR has it).
const GROWTH = 1.25;
const FLAT_ROUNDS = 3;

/** Keeps the best rate of the last rounds, and knows whether it still grows. */
export interface RateFilter {
  /** 0 when nothing was measured yet. */
  readonly best: number;
  readonly isSteady: boolean;
  add(rate: number): void;
  /** @param wasLimited whether the line was full: if not, a lower rate says nothing about it */
  endRound(wasLimited: boolean): void;
  /** Begins to search again. */
  forget(): void;
}

/** See {@link RateFilter}. */
export const createRateFilter = (): RateFilter => new BestOfRounds();

class BestOfRounds implements RateFilter {
  readonly #rounds: number[] = Array.from<number>({ length: ROUNDS }).fill(0);
  #at = 0;
  #best = 0;
  #grown = 0;
  #flat = 0;

  get best(): number {
    return this.#best;
  }

  get isSteady(): boolean {
    return this.#flat >= FLAT_ROUNDS;
  }

  add(rate: number): void {
    this.#rounds[this.#at] = Math.max(this.#rounds[this.#at]!, rate);
    this.#best = Math.max(this.#best, rate);
  }

  endRound(wasLimited: boolean): void {
    if (wasLimited) {
      if (this.#best >= GROWTH * this.#grown) {
        this.#grown = this.#best;
        this.#flat = 0;
      } else this.#flat++;
    } else if (this.#rounds[this.#at]! < this.#best) {
      this.#rounds[this.#at] = 0;
      return;
    }
    this.#at = (this.#at + 1) % ROUNDS;
    this.#rounds[this.#at] = 0;
    this.#best = Math.max(...this.#rounds);
  }

  forget(): void {
    this.#rounds.fill(0);
    this.#grown = 0;
    this.#flat = 0;
    this.#best = 0;
  }
}
