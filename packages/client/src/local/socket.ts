// A connected socket, as a promise that can be taken back.
import net from "node:net";

/**
 * Connects. The socket keeps half-closes apart, sends small writes at once, and has a listener for errors.
 *
 * @throws the signal's reason once it fires, and whatever the system says
 */
export function connectSocket(
  address: { host: string; port: number } | { path: string },
  signal: AbortSignal,
): Promise<net.Socket> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const socket = net.connect({
      ...address,
      allowHalfOpen: true,
      // Without it, a head and a body that are written one after the other wait 40 ms for each other.
      noDelay: true,
    });
    const onAbort = (): void => void socket.destroy(asError(signal.reason));
    const onError = (error: Error): void => {
      signal.removeEventListener("abort", onAbort);
      reject(error);
    };
    signal.addEventListener("abort", onAbort, { once: true });
    socket.once("connect", () => {
      signal.removeEventListener("abort", onAbort);
      swapErrorListener(socket, onError);
      resolve(socket);
    });
    socket.on("error", onError);
  });
}

/**
 * Takes the listener away that waited for the connection, and with it all that the attempt held: 4 KiB for as long as
 * the connection lives. A socket must never be without one, so another takes its place.
 */
export function swapErrorListener(
  socket: net.Socket,
  onError: (error: Error) => void,
): void {
  socket.on("error", ignoreError);
  socket.off("error", onError);
}

function ignoreError(): void {}

/** What a signal carries need not be an error. */
export const asError = (reason: unknown): Error =>
  reason instanceof Error ? reason : new Error("Aborted.", { cause: reason });
