// When to try again after a lost connection. Pure: the caller sleeps.
import type { ExposeError } from "../errors.ts";

const FIRST_MS = 500;
const MAX_MS = 30_000;
/** After this long online, a loss is a new story and begins with the short delays again. */
export const HEALTHY_AFTER_MS = 60_000;
// The network itself is away: nothing on the other side can be overrun, so look often. Together with the time limit
// of one look this has the tunnel back within five seconds of the network's return, however long it was gone.
const AWAY_MS = 1_000;

/**
 * Delay before the next attempt, in milliseconds, with full jitter (a random share of the whole), so that a thousand
 * clients of a restarted server do not come back in one moment.
 *
 * @param attempt 1 for the first one after the loss
 * @param error why the last attempt (or the connection) failed
 * @param random 0 to below 1
 */
export function nextDelayMs(
  attempt: number,
  error: ExposeError,
  random: number,
): number {
  if (isNetworkAway(error)) return Math.round(AWAY_MS * (0.25 + random * 0.75));
  const ceiling = Math.min(MAX_MS, FIRST_MS * 2 ** (attempt - 1));
  return Math.round(ceiling * random);
}

/** Whether no packet came back at all, rather than a server that said no. */
export function isNetworkAway(error: ExposeError): boolean {
  if (error.code !== "server-unreachable") return false;
  const cause = error.cause;
  const system =
    cause instanceof Error && "code" in cause ? String(cause.code) : "";
  return system !== "ECONNREFUSED" && system !== "ECONNRESET";
}

/** Whether trying again cannot help until a person has acted. All else is tried for ever. */
export function isHopeless(error: ExposeError): boolean {
  return HOPELESS.has(error.code);
}

const HOPELESS: ReadonlySet<string> = new Set([
  "auth-failed",
  "revoked",
  "host-key-changed",
  "host-key-revoked",
  "host-key-unknown",
  "version-unsupported",
  "aborted",
]);
