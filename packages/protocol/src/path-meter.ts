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
export function createPathMeter(options: PathMeterOptions): PathMeter {
  const { ping, now, onRoom } = options;
  const rate = createRateFilter();
  let sent = 0;
  let delivered = 0;
  let deliveredAt = 0;
  let departedAt = 0;
  let marked = 0;
  let busyAt = -Infinity;
  let answeredAt = -Infinity;
  let outstanding = 0;
  let warmUp = FIRST_MARKS - 1;
  let wasFull = false;
  let roundEnd = 0;
  // A peer that has not answered yet is not waited for.
  let limit = Infinity;
  let onTheLine = Infinity;
  let spacing = MARK_BYTES;
  let roundTrip: number | undefined;
  let roundTripAt = 0;
  let probe: { from: number; samples: number; least: number } | undefined;

  const isFull = (): boolean => sent - delivered >= limit;

  function mark(at: number): void {
    // The first one after a pause: the time before it says nothing about the line.
    if (outstanding === 0) {
      deliveredAt = at;
      departedAt = at;
    }
    if (sent > marked) {
      if (at - busyAt > FORGET_MS) {
        rate.forget();
        if (roundTrip !== undefined) limit = Math.min(limit, START_BYTES);
      }
      busyAt = at;
    }
    const before = { sent, at, delivered, deliveredAt, departedAt };
    marked = sent;
    outstanding++;
    ping(() => answered(before));
  }

  function answered(marker: Marker): void {
    const at = now();
    outstanding--;
    answeredAt = at;
    measureRoundTrip(marker, at);
    // What was lost and sent again arrives all at once with what waited for it, faster than any line.
    const elapsed = Math.max(
      at - marker.deliveredAt,
      marker.at - marker.departedAt,
    );
    if (marker.sent > marker.delivered && elapsed > 0)
      rate.add((marker.sent - marker.delivered) / elapsed);
    if (marker.sent > delivered) {
      delivered = marker.sent;
      deliveredAt = at;
      departedAt = marker.at;
    }
    if (marker.delivered >= roundEnd) {
      rate.endRound(wasFull);
      wasFull = false;
      roundEnd = delivered;
    }
    limit = nextLimit();
    spacing = Math.max(MARK_BYTES, MARK_PART * limit);
    if (warmUp > 0) {
      warmUp--;
      mark(at);
    }
    // On a slow line one piece alone takes longer than the round trip, and a marker behind it would measure the piece.
    if (probe !== undefined && sent === delivered) mark(at);
    else markIfDue();
    if (!isFull()) onRoom();
  }

  function measureRoundTrip(marker: Marker, at: number): void {
    const sample = at - marker.at;
    if (roundTrip === undefined || sample < roundTrip) roundTrip = sample;
    // As good as the least one that there ever was: there is no queue, or none that lasts.
    if (sample <= roundTrip * 1.05 + 0.5) roundTripAt = at;
    if (probe === undefined) {
      if (at - roundTripAt < PROBE_EVERY_MS) return;
      // What is on its way now has to arrive first.
      probe = { from: at + 1.5 * roundTrip, samples: 0, least: Infinity };
    } else if (marker.at >= probe.from) {
      probe.least = Math.min(probe.least, sample);
      if (++probe.samples < PROBE_SAMPLES) return;
      roundTrip = Math.min(probe.least, MAX_GROWTH * roundTrip + MAX_GROWTH_MS);
      roundTripAt = at;
      probe = undefined;
    }
  }

  // Called with an answer, so that the round trip is known.
  function nextLimit(): number {
    const roundTripMs = roundTrip!;
    if (rate.best === 0) return START_BYTES;
    onTheLine = rate.best * roundTripMs;
    if (probe !== undefined) return PROBE_GAIN * onTheLine;
    const queue = Math.max(MIN_BYTES, QUEUE_MS * rate.best);
    if (rate.isSteady)
      return Math.min(MAX_BYTES, STEADY_GAIN * onTheLine + queue);
    return Math.min(
      MAX_BYTES,
      Math.max(START_BYTES, SEARCH_GAIN * onTheLine + queue),
    );
  }

  function markIfDue(): void {
    // One that never answers is asked no more, or those who wait for its answers would pile up.
    if (roundTrip === undefined) return;
    const unmarked = sent - marked;
    if (unmarked >= spacing || (isFull() && isDueWhenFull(unmarked)))
      mark(now());
  }

  // Nobody would ever hear that a path without a marker has room again.
  const isDueWhenFull = (unmarked: number): boolean =>
    unmarked >= spacing / 2 || outstanding === 0;

  mark(now());
  return {
    get roundTripMs() {
      return roundTrip;
    },
    get isProbing() {
      return probe !== undefined;
    },
    room: () => limit - (sent - delivered),
    sent(bytes) {
      sent += bytes;
      // As much as the line holds, if it is as fast as was thought: then it shows whether it is.
      if (sent - delivered >= Math.min(limit, onTheLine)) wasFull = true;
      markIfDue();
    },
    refresh() {
      const at = now();
      const apart = probe === undefined ? 1_000 : (roundTrip ?? 0) / 4;
      if (outstanding === 0 && at - answeredAt >= apart) mark(at);
    },
  };
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
export function createRateFilter(): RateFilter {
  const rounds = new Float64Array(ROUNDS);
  let at = 0;
  let best = 0;
  let grown = 0;
  let flat = 0;

  return {
    get best() {
      return best;
    },
    get isSteady() {
      return flat >= FLAT_ROUNDS;
    },
    add(rate) {
      rounds[at] = Math.max(rounds[at]!, rate);
      best = Math.max(best, rate);
    },
    endRound(wasLimited) {
      if (wasLimited) {
        if (best >= GROWTH * grown) {
          grown = best;
          flat = 0;
        } else flat++;
      } else if (rounds[at]! < best) {
        rounds[at] = 0;
        return;
      }
      at = (at + 1) % ROUNDS;
      rounds[at] = 0;
      best = Math.max(...rounds);
    },
    forget() {
      rounds.fill(0);
      grown = 0;
      flat = 0;
      best = 0;
    },
  };
}
