// How sessions reach the edge. `openssh` and `embedded` each implement Ingress; control/ serves what they bring.
import type { Duplex } from "node:stream";
import type { Identity } from "../registry/identity.ts";
import type { Forward } from "./forward.ts";

/** One client's control channel and the forwards of the same SSH connection. */
export interface IngressSession {
  readonly ingress: "openssh" | "embedded";
  readonly identity: Identity;
  /** Where the client connects from, for logs; undefined where the ingress cannot know (`openssh`). */
  readonly remoteAddress: string | undefined;
  /** The control channel, unread. The ingress ends the session when it closes. */
  readonly control: Duplex;
  /** Proofs for forwarded connections; undefined where channels belong to the session anyway (`embedded`). */
  readonly proof:
    { readonly client: string; readonly edge: string } | undefined;
  /** The forward on that port, if this session can hold one there. */
  forward(port: number): Forward | undefined;
  /** Ends the session and all that it opened, now. Idempotent. */
  end(): void;
  /** Calls back once when the session has ended. */
  onceEnded(callback: () => void): void;
}

/** A door for sessions. */
export interface Ingress {
  readonly kind: "openssh" | "embedded";
  /** Starts to accept. @throws EdgeError `listen-failed` */
  start(): Promise<void>;
  /** Stops to accept; sessions that are open stay so. */
  stopAccepting(): void;
  /** Ends every session and frees what was bound. Idempotent. */
  close(): Promise<void>;
}
