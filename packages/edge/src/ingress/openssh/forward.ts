// A remote forward that sshd holds: a TCP port on loopback, believed only with proof.
import { connect as connectTcp, type Socket } from "node:net";
import { EdgeError } from "../../errors.ts";
import type { Closable } from "../../util/closable.ts";
import type { Forward, ForwardedConnection } from "../forward.ts";
import { findListenerUids } from "./listener-owner.ts";
import { readProof } from "./proof.ts";

/** What the forwards of a session have in common. */
export interface ForwardContext {
  /** Connections through the session's forwards, proven or not. */
  readonly connections: Set<Socket>;
  readonly maxConnections: number;
  readonly clientProof: Buffer;
  readonly edgeProof: Buffer;
  readonly proofMs: number;
  /** The account that sshd listens as; undefined when it is not to be checked. */
  readonly uid: number | undefined;
  /** What the forwards end with. */
  readonly life: Closable;
}

/** Builds the forward on `port` of a session. Whether the session holds it shows in connect(). */
export function createForward(port: number, context: ForwardContext): Forward {
  let ownerChecked = context.uid === undefined;

  async function connect(): Promise<ForwardedConnection> {
    // The proof alone keeps strangers out; this keeps our connections away from services that they could disturb.
    if (!ownerChecked) {
      await checkOwner(port, context.uid!);
      ownerChecked = true;
    }
    if (context.life.closed) throw failure(port, "its session has ended");
    if (context.connections.size >= context.maxConnections)
      throw failure(port, "its session has as many connections as it may have");
    const socket = dial(port);
    context.connections.add(socket);
    socket.once("close", () => context.connections.delete(socket));
    await readProof(socket, port, context.clientProof, context.proofMs);
    writeWithNext(socket, context.edgeProof);
    return { stream: socket, link: undefined };
  }

  return {
    port,
    get direct() {
      return {
        port,
        proof: {
          client: context.clientProof.toString("latin1"),
          edge: context.edgeProof.toString("latin1"),
        },
        uid: context.uid,
      };
    },
    get closed() {
      return context.life.closed;
    },
    connect,
    onceClosed: (callback) => context.life.onceClosed(callback),
  };
}

// Literally 127.0.0.1: "localhost" could lead to ::1, where another tenant or service listens.
function dial(port: number): Socket {
  const socket = connectTcp({
    host: "127.0.0.1",
    port,
    noDelay: true,
    allowHalfOpen: true,
  });
  // Whoever uses the connection has listeners of their own; between two users of a pooled one there is nobody, and an error
  // that nobody hears ends the process. `close` follows each error.
  socket.on("error", () => {});
  return socket;
}

// Sends `bytes` in one packet with what the caller writes in this turn of the event loop, or alone when that is nothing.
function writeWithNext(socket: Socket, bytes: Buffer): void {
  socket.cork();
  socket.write(bytes);
  setImmediate(() => socket.uncork());
}

async function checkOwner(port: number, uid: number): Promise<void> {
  const owners = await findListenerUids(port);
  if (!owners) return;
  if (owners.size === 0) throw failure(port, "nothing listens there");
  for (const owner of owners)
    if (owner !== uid) throw failure(port, "the listener is not sshd's");
}

const failure = (port: number, reason: string): EdgeError =>
  new EdgeError(
    "forward-failed",
    `No connection through the forward on port ${port}: ${reason}.`,
  );
