// The proofs that open a connection through sshd: whoever holds a port is believed only when they know the session's secret.
import { randomBytes, timingSafeEqual } from "node:crypto";
import type { Socket } from "node:net";
import { PROOF_BYTES } from "@expose/protocol";
import { EdgeError } from "../../errors.ts";

/** The two secrets of one session, PROOF_BYTES characters each. */
export interface Proof {
  /** What the client says first on each connection. */
  readonly client: string;
  /** What the edge answers. */
  readonly edge: string;
}

/** Makes a fresh pair. */
export const createProof = (): Proof => ({
  client: createSecret(),
  edge: createSecret(),
});

// base64url has four characters for three bytes.
const createSecret = (): string =>
  randomBytes((PROOF_BYTES / 4) * 3).toString("base64url");

/**
 * Reads the client's proof from a connection to its forward, before anything was written. What follows the proof stays in
 * the stream, which flows again as soon as somebody reads. Destroys the connection when it fails.
 *
 * @param port the forward's port, for messages
 * @param expected the client's secret, PROOF_BYTES bytes
 * @throws EdgeError `forward-failed` when the proof is wrong, late, or the connection ends before
 */
export function readProof(
  socket: Socket,
  port: number,
  expected: Buffer,
  timeoutMs: number,
): Promise<void> {
  return new Promise((resolve, reject) => {
    let cause: Error | undefined;
    const timer = setTimeout(
      () =>
        fail(
          socket.connecting
            ? "sshd did not accept the connection in time"
            : "the client did not prove in time that the port is its own",
        ),
      timeoutMs,
    );
    // `readable` and read() rather than `data`: what is not taken stays where the next reader finds it.
    socket.on("readable", onReadable);
    socket.once("error", onError);
    // With half-open connections the end of one direction does not close the socket.
    socket.once("end", onClose);
    socket.once("close", onClose);

    function onReadable(): void {
      const bytes = socket.read(PROOF_BYTES) as Buffer | null;
      if (bytes === null) return;
      // At the end of the stream read() gives what there is, however short.
      if (bytes.length !== PROOF_BYTES || !timingSafeEqual(bytes, expected))
        return fail("what listens on the port does not know the secret");
      settle();
      resolve();
    }

    function onError(error: Error): void {
      cause = error;
    }

    function onClose(): void {
      fail(
        cause
          ? `the port is not listened on (${(cause as NodeJS.ErrnoException).code ?? cause.message})`
          : "the client closed the connection at once; it has gone, or the port is not its own",
      );
    }

    function fail(reason: string): void {
      settle();
      socket.destroy();
      reject(
        new EdgeError(
          "forward-failed",
          `No connection through the forward on port ${port}: ${reason}.`,
          cause ? { cause } : {},
        ),
      );
    }

    function settle(): void {
      clearTimeout(timer);
      socket.off("readable", onReadable);
      socket.off("error", onError);
      socket.off("end", onClose);
      socket.off("close", onClose);
    }
  });
}
