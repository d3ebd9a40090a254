// What a connection needs now and then: a sign of life, new keys, an end. Decides; connection.ts does it.
import type { EmbeddedLimits } from "./options.ts";

/** What is known of a connection at one moment. */
export interface Vitals {
  /** Monotonic, milliseconds. */
  readonly now: number;
  /** Bytes ever read from the socket. */
  readonly bytesRead: number;
  /** Bytes ever taken over by the operating system. */
  readonly bytesSent: number;
  /** Bytes that wait in the socket. */
  readonly bytesQueued: number;
  readonly rekeying: boolean;
  /** Whether the connection holds a forward or a session. */
  readonly used: boolean;
}

/** What to do. `end` says why. */
export type UpkeepStep =
  | { readonly do: "nothing" | "ping" | "rekey" }
  | { readonly do: "end"; readonly why: string };

/** Watches over one connection. */
export interface Upkeep {
  /** To be called every {@link upkeepIntervalMs}. */
  check(vitals: Vitals): UpkeepStep;
}

type UpkeepLimits = Pick<
  EmbeddedLimits,
  | "pingAfterMs"
  | "deadAfterMs"
  | "unusedMs"
  | "rekeyAfterBytes"
  | "rekeyAfterMs"
  | "maxQueuedBytes"
>;

/** How often to check, milliseconds. */
export function upkeepIntervalMs(limits: UpkeepLimits): number {
  const shortest = Math.min(
    limits.pingAfterMs,
    limits.deadAfterMs,
    limits.unusedMs,
    limits.rekeyAfterMs,
  );
  return Math.max(10, Math.min(5_000, shortest / 3));
}

/** Begins to watch. @param startedAt monotonic, milliseconds */
export function createUpkeep(limits: UpkeepLimits, startedAt: number): Upkeep {
  const lateMs = 3 * upkeepIntervalMs(limits);
  let checkedAt = startedAt;
  let aliveAt = startedAt;
  let usedAt = startedAt;
  let pinged = false;
  let bytesRead = 0;
  let bytesSent = 0;
  let bytesQueued = 0;
  let keysAt = startedAt;
  let keyBytes = 0;
  let rekeyingSince: number | undefined;

  return {
    check(vitals) {
      const { now } = vitals;
      // Bytes that arrive are the proof of life, and while an upload fills a slow line, bytes that leave: the operating
      // system takes more only when the peer has acknowledged some, and our ping waits behind all of them. That the
      // edge itself stood still (a suspended machine) is nobody's fault.
      const edgeStoodStill = now - checkedAt > lateMs;
      if (
        vitals.bytesRead !== bytesRead ||
        (bytesQueued > 0 && vitals.bytesSent !== bytesSent) ||
        edgeStoodStill
      ) {
        aliveAt = now;
        pinged = false;
      }
      ({ bytesRead, bytesSent, bytesQueued } = vitals);
      checkedAt = now;
      if (vitals.used || edgeStoodStill) usedAt = now;
      if (!vitals.rekeying) rekeyingSince = undefined;
      else rekeyingSince ??= now;

      if (now - aliveAt >= limits.deadAfterMs)
        return end("No sign of life from the client.");
      if (bytesQueued > limits.maxQueuedBytes)
        return end("The client does not read what it asked for.");
      if (
        rekeyingSince !== undefined &&
        now - rekeyingSince >= limits.deadAfterMs
      )
        return end("The client does not finish the key exchange.");
      if (now - usedAt >= limits.unusedMs)
        return end("Nothing was opened on this connection.");

      if (rekeyingSince !== undefined) return { do: "nothing" };
      const total = bytesRead + bytesSent;
      if (
        total - keyBytes >= limits.rekeyAfterBytes ||
        now - keysAt >= limits.rekeyAfterMs
      ) {
        keyBytes = total;
        keysAt = now;
        return { do: "rekey" };
      }
      if (!pinged && now - aliveAt >= limits.pingAfterMs) {
        pinged = true;
        return { do: "ping" };
      }
      return { do: "nothing" };
    },
  };
}

const end = (why: string): UpkeepStep => ({ do: "end", why });
