// One client's session through sshd: the control socket that sshd's forced command opened, and all that hangs on it.
import type { Socket } from "node:net";
import type { Identity } from "../../registry/identity.ts";
import { Closable } from "../../util/closable.ts";
import type { Forward } from "../forward.ts";
import type { IngressSession } from "../ingress.ts";
import { createForward, type ForwardContext } from "./forward.ts";
import { createProof } from "./proof.ts";

/** What a session is made from. */
export interface SessionOptions {
  readonly identity: Identity;
  readonly control: Socket;
  readonly uid: number | undefined;
  readonly maxConnections: number;
  readonly proofMs: number;
  readonly lingerMs: number;
  /** Whether a tunnel may lead to that port at all. */
  mayLeadTo(port: number): boolean;
}

/** Builds a session. It ends by itself when the control socket closes, and ending it destroys every connection. */
export function createSession(options: SessionOptions): IngressSession {
  const { control } = options;
  const proof = createProof();
  const connections = new Set<Socket>();
  const forwards = new Map<number, Forward>();
  const life = new Closable();

  const context: ForwardContext = {
    connections,
    maxConnections: options.maxConnections,
    clientProof: Buffer.from(proof.client, "latin1"),
    edgeProof: Buffer.from(proof.edge, "latin1"),
    proofMs: options.proofMs,
    uid: options.uid,
    life,
  };
  // `close` follows; what went wrong with a Unix socket nobody needs to know.
  control.on("error", () => {});
  control.once("close", end);

  function end(): void {
    if (life.closed) return;
    closeAfterLastWords(control, options.lingerMs);
    for (const socket of connections) socket.destroy();
    life.markClosed();
  }

  return {
    ingress: "openssh",
    identity: options.identity,
    remoteAddress: undefined,
    control,
    proof,
    forward(port) {
      if (life.closed || !options.mayLeadTo(port)) return undefined;
      let forward = forwards.get(port);
      if (!forward)
        forwards.set(port, (forward = createForward(port, context)));
      return forward;
    },
    end,
    onceEnded: (callback) => void life.onceClosed(callback),
  };
}

// The socket must go away as a whole, since sshd's side waits for its end; but what the client was just told has to leave.
function closeAfterLastWords(control: Socket, lingerMs: number): void {
  if (control.destroyed) return;
  const timer = setTimeout(() => control.destroy(), lingerMs);
  control.once("close", () => clearTimeout(timer));
  if (control.writableFinished) control.destroy();
  else {
    control.once("finish", () => control.destroy());
    control.end();
  }
}
