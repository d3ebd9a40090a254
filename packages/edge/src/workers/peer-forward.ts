// A forward whose SSH session is in another worker: connections go through that worker's door.
import { connect as connectSocket } from "node:net";
import { EdgeError } from "../errors.ts";
import type {
  Forward,
  ForwardedConnection,
  Visitor,
} from "../ingress/forward.ts";
import { Closable } from "../util/closable.ts";
import { FramedStream } from "./framed-stream.ts";
import { peerAnswers, type PeerHello } from "./peer-door.ts";

/** Where the forward is. */
export interface PeerAddress {
  /** Path of that worker's door. */
  readonly path: string;
  readonly secret: string;
  readonly forward: number;
  /** Its port, which means something to its client alone. */
  readonly port: number;
}

// Longer than a client may take to answer in the other worker.
const CONNECT_MS = 20_000;

/** See the file's head. It ends when it is told to; connections are left to whoever uses them. */
export class PeerForward extends Closable implements Forward {
  readonly port: number;
  readonly #address: PeerAddress;

  constructor(address: PeerAddress) {
    super();
    this.port = address.port;
    this.#address = address;
  }

  connect(visitor: Visitor): Promise<ForwardedConnection> {
    if (this.closed) return Promise.reject(failed("it has ended"));
    const { path, secret, forward } = this.#address;
    const stream = new FramedStream(connectSocket({ path }));
    const hello: PeerHello = { secret, forward, visitor };
    stream.write(Buffer.from(`${JSON.stringify(hello)}\n`));
    return answered(stream);
  }
}

function answered(stream: FramedStream): Promise<ForwardedConnection> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(
      () => fail(failed("its worker does not answer")),
      CONNECT_MS,
    );
    stream.on("readable", onReadable);
    stream.once("close", onClose);

    function onReadable(): void {
      const answer = (stream.read(1) as Buffer | null)?.[0];
      if (answer === undefined) return;
      if (answer !== peerAnswers.connected)
        return fail(
          failed("its client did not connect", {
            upstreamDown: answer === peerAnswers.upstreamDown,
          }),
        );
      settle();
      resolve({ stream, link: undefined });
    }

    function onClose(): void {
      fail(failed("its worker has gone"));
    }

    function fail(error: EdgeError): void {
      settle();
      stream.destroy();
      reject(error);
    }

    function settle(): void {
      clearTimeout(timer);
      stream.off("readable", onReadable);
      stream.off("close", onClose);
    }
  });
}

const failed = (why: string, options?: { upstreamDown: boolean }): EdgeError =>
  new EdgeError(
    "forward-failed",
    `No connection through a forward of another worker: ${why}.`,
    options,
  );
