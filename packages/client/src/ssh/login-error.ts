// Turns what goes wrong between the TCP connection and the login into errors that say what to do.
import { ExposeError } from "../errors.ts";
import { printable } from "./log.ts";
import type { SshTarget } from "./target.ts";

/** How far a login had come. */
export interface LoginProgress {
  /** The first bytes that came, up to a few hundred. */
  readonly received: Buffer;
  /** The key exchange is over: what follows is about keys. */
  readonly encrypted: boolean;
}

/** Whether the server has introduced itself as SSH (RFC 4253 section 4.2: lines of other text may come before). */
export const isSsh = (received: Buffer): boolean =>
  /(?:^|\n)SSH-(?:2\.0|1\.99)-/.test(received.toString("latin1"));

/** The server ended the connection, or it broke. @param cause what is known about it */
export function loginBroken(
  target: SshTarget,
  { received, encrypted }: LoginProgress,
  cause: Error | undefined,
): ExposeError {
  const text = received.toString("latin1");
  // OpenSSH says so in plain text before it introduces itself.
  const limited = /^(?:Exceeded MaxStartups|Not allowed at this time)/.test(
    text,
  );
  if (received.length > 0 && !isSsh(received) && !limited)
    return notSsh(target, received, cause);
  const reason = cause ? ` (${printable(cause.message)})` : "";
  if (!encrypted && (received.length === 0 || limited))
    return new ExposeError(
      "connection-lost",
      `${target.label} closed the connection before the SSH handshake${limited ? ` and said "${printable(text.trim())}"` : reason}. Most often it limits how many log in at once or too often (MaxStartups, PerSourcePenalties): wait a minute, then try again.`,
      { cause },
    );
  if (isMismatch(cause))
    return new ExposeError(
      "handshake-failed",
      `${target.label} and expose have no SSH algorithms in common: ${printable(cause.message)}. SHA-1 is not used any more; update the server's OpenSSH.`,
      { cause },
    );
  return new ExposeError(
    "connection-lost",
    `${target.label} ended the connection during the ${encrypted ? "login" : "SSH handshake"}${reason}. Try again; the server's log tells more.`,
    { cause },
  );
}

/** Nothing decisive happened in time. */
export function loginTimedOut(
  target: SshTarget,
  progress: LoginProgress,
  timeoutMs: number,
): ExposeError {
  const { received, encrypted } = progress;
  if (received.length > 0 && !isSsh(received))
    return notSsh(target, received, undefined);
  const what =
    received.length === 0
      ? "accepted the connection and then said nothing"
      : `did not finish the ${encrypted ? "login" : "SSH handshake"}`;
  return new ExposeError(
    "connection-lost",
    `${target.label} ${what} for ${timeoutMs / 1_000} s. Check that port ${target.port} is its SSH port and that the network is sound.`,
  );
}

function notSsh(
  target: SshTarget,
  received: Buffer,
  cause: Error | undefined,
): ExposeError {
  const text = received.toString("latin1");
  const guess = /^HTTP\/1|^<(?:!doctype|html)/i.test(text)
    ? " (a web server)"
    : received[0] === 0x15 || received[0] === 0x16
      ? " (a TLS server)"
      : text.startsWith("SSH-1.")
        ? " (version 1 of SSH, which is not safe)"
        : "";
  return new ExposeError(
    "server-not-ssh",
    `${target.label} does not speak SSH: it answered "${printable(text, 60)}"${guess}. Check the port; SSH servers usually listen on 22.`,
    { cause },
  );
}

const isMismatch = (cause: Error | undefined): cause is Error =>
  cause !== undefined && /no matching/.test(cause.message);
