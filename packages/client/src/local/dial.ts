// Opens connections to the local service, whatever kind of service it is.
import type net from "node:net";
import type { Duplex } from "node:stream";
import type { UpstreamSpec } from "@expose/protocol";
import { createFolderServer } from "./folder.ts";
import { createLocalhostDialer } from "./dial-localhost.ts";
import { connectSocket } from "./socket.ts";
import { createTlsDialer } from "./tls.ts";

/** Opens one connection. @throws the signal's reason once it fires, and whatever the system says */
export type Dial = (signal: AbortSignal) => Promise<Duplex>;

/** Opens connections to one local service. */
export interface Dialer {
  /**
   * Opens a connection. It keeps half-closes apart (`allowHalfOpen`) and sends small writes at once.
   * @throws DialTimeoutError after ten seconds, the signal's reason once it fires, and whatever the system says
   */
  dial: Dial;
  /** Frees what is shared between connections. Those that are open stay so, except to a folder. */
  close(): void;
}

/** No answer within the time; a service on the same machine would have refused at once. */
export class DialTimeoutError extends Error {
  override name = "DialTimeoutError";
  readonly code = "ETIMEDOUT";
}

/** How long a connection may take, a TLS handshake included. */
export const DIAL_TIMEOUT_MS = 10_000;

/** @param ca PEM text of authorities that TLS certificates are verified against, in addition to Node's own */
export function createDialer(
  spec: UpstreamSpec,
  ca: string | undefined,
): Dialer {
  if (spec.kind === "folder") {
    const folder = createFolderServer(spec.path);
    return {
      dial: async (signal) => {
        signal.throwIfAborted();
        return folder.connect();
      },
      close: () => folder.close(),
    };
  }
  const open = createOpen(spec, ca);
  return { dial: (signal) => withDeadline(open, signal), close() {} };
}

function createOpen(
  spec: Exclude<UpstreamSpec, { kind: "folder" }>,
  ca: string | undefined,
): Dial {
  switch (spec.kind) {
    case "unix":
      return (signal) => connectSocket({ path: spec.path }, signal);
    case "tcp":
      return createTcpDial(spec.host, spec.port);
    case "tls":
      return createTlsDialer(spec, ca, createTcpDial(spec.host, spec.port));
  }
}

function createTcpDial(
  host: string,
  port: number,
): (signal: AbortSignal) => Promise<net.Socket> {
  return host.toLowerCase() === "localhost"
    ? createLocalhostDialer(port)
    : (signal) => connectSocket({ host, port }, signal);
}

async function withDeadline(open: Dial, signal: AbortSignal): Promise<Duplex> {
  signal.throwIfAborted();
  const attempt = new AbortController();
  const onAbort = (): void => attempt.abort(signal.reason);
  signal.addEventListener("abort", onAbort, { once: true });
  const timer = setTimeout(
    () => attempt.abort(new DialTimeoutError("No answer in time.")),
    DIAL_TIMEOUT_MS,
  );
  timer.unref();
  try {
    return await open(attempt.signal);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", onAbort);
  }
}
