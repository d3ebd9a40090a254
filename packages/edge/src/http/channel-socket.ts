// Makes a forwarded connection's stream pass for a socket, which is what Node's HTTP client expects to get from an
// agent. A channel of an embedded session is a plain Duplex.
import type { Duplex } from "node:stream";

// What Node and http-proxy call on sockets. None of it has a meaning on a channel.
const SOCKET_METHODS = [
  "setTimeout",
  "setNoDelay",
  "setKeepAlive",
  "ref",
  "unref",
] as const;

/** Adds the methods that the stream lacks. Changes the stream itself: a wrapper would have buffers of its own. */
export function passForSocket(stream: Duplex): void {
  for (const method of SOCKET_METHODS)
    if (!(method in stream))
      Object.defineProperty(stream, method, { value: returnThis });
}

// One for all: they stay for as long as the WebSocket.
function returnThis(this: Duplex): Duplex {
  return this;
}
