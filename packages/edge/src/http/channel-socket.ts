// Makes a forwarded connection's stream pass for a socket, which is what Node's HTTP client expects to get from an
// agent. A channel of an embedded session is a plain Duplex.
import type { LinkPressure } from "@expose/protocol";
import type { Duplex } from "node:stream";
import type { ForwardedConnection } from "../ingress/forward.ts";

// What Node and http-proxy call on sockets. None of it has a meaning on a channel.
const SOCKET_METHODS = [
  "setTimeout",
  "setNoDelay",
  "setKeepAlive",
  "ref",
  "unref",
] as const;

/**
 * Adds the methods that the stream lacks, and makes its `write` feel the pressure of the SSH link, since `pipe` knows
 * no other. Changes the stream itself: a wrapper would cost every WebSocket a second pair of buffers.
 */
export function socketOf(connection: ForwardedConnection): Duplex {
  const { stream, link } = connection;
  for (const method of SOCKET_METHODS)
    if (!(method in stream))
      Object.defineProperty(stream, method, { value: () => stream });
  if (link) feelPressure(stream, link);
  return stream;
}

function feelPressure(stream: Duplex, link: LinkPressure): void {
  const write = stream.write.bind(stream) as (...args: unknown[]) => boolean;
  let waiting = false;
  const pressed = (...args: unknown[]): boolean => {
    if (!write(...args)) return false;
    if (!link.isFull()) return true;
    if (!waiting) {
      waiting = true;
      link.onceDrained(() => {
        waiting = false;
        if (!stream.writableNeedDrain) stream.emit("drain");
      });
    }
    return false;
  };
  Object.defineProperty(stream, "write", { value: pressed });
}
