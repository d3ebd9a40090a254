// localhost means two addresses, and dev servers often listen on one of them alone: Vite on ::1, Python on 127.0.0.1.
import type net from "node:net";
import { connectSocket } from "./socket.ts";

// Refusals on the loopback come within a millisecond. A service whose backlog is full says nothing at all.
const HEAD_START_MS = 100;

/**
 * Dials a port on ::1 and 127.0.0.1, as browsers do: ::1 first, whatever /etc/hosts says about localhost, and the
 * other one when the first refuses or hesitates. Begins with the address that worked last.
 */
export function createLocalhostDialer(
  port: number,
): (signal: AbortSignal) => Promise<net.Socket> {
  let order = ["::1", "127.0.0.1"];
  return async (signal) => {
    const { socket, host } = await race(order, port, signal);
    if (order[0] !== host) order = order.toReversed();
    return socket;
  };
}

// One for all: a signal without a reason makes an error of its own, stack included.
const LOST = new Error("The other address was faster.");

function race(
  hosts: readonly string[],
  port: number,
  signal: AbortSignal,
): Promise<{ socket: net.Socket; host: string }> {
  return new Promise((resolve, reject) => {
    const over = new AbortController();
    const either = AbortSignal.any([signal, over.signal]);
    const errors: Error[] = [];
    let begun = 0;
    const timer = setTimeout(next, HEAD_START_MS);
    next();

    function next(): void {
      const host = hosts[begun++];
      if (host === undefined) return;
      connectSocket({ host, port }, either).then(
        (socket) => won(socket, host),
        lost,
      );
    }

    function won(socket: net.Socket, host: string): void {
      // Both can connect in the same moment.
      if (over.signal.aborted) return void socket.destroy();
      over.abort(LOST);
      clearTimeout(timer);
      resolve({ socket, host });
    }

    function lost(error: Error): void {
      errors.push(error);
      if (errors.length < hosts.length) return next();
      clearTimeout(timer);
      reject(mostTelling(errors));
    }
  });
}

// A machine without IPv6 says so for ::1, which is no news about the service.
const UNTELLING = new Set(["EADDRNOTAVAIL", "EAFNOSUPPORT", "ENETUNREACH"]);

const mostTelling = (errors: readonly Error[]): Error | undefined =>
  errors.find(
    (error) => !UNTELLING.has((error as NodeJS.ErrnoException).code ?? ""),
  ) ?? errors[0];
