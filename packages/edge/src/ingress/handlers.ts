// What an ingress hands its sessions to. control/ implements it; the composition root joins the two.
import type { RequestObserver } from "../access-log/record.ts";
import type { Identity } from "../registry/identity.ts";
import type { Forward } from "./forward.ts";
import type { IngressSession } from "./ingress.ts";

/** Why control/ says no; `code` and `message` are fit for the client. */
export { ControlRefusal } from "../refusal.ts";

/** A tunnel that a plain `ssh -R` opened. */
export interface PlainTunnel {
  readonly name: string;
  readonly url: string;
  /** Sets who hears of each finished request of this tunnel; one at a time. */
  observe(observer: RequestObserver | undefined): void;
  /** Closes the tunnel and frees its name. Idempotent. */
  close(): void;
}

/** One SSH connection of a plain OpenSSH client, as control/ needs to know it. */
export interface PlainSession {
  readonly identity: Identity;
  readonly remoteAddress: string | undefined;
  /** Tells the person (on the session channel, if there is one) why the session ends, then ends it. */
  end(message: string): void;
  /** Calls back once when it has ended (at once when it already has). @returns a function that forgets it */
  onceEnded(callback: () => void): () => void;
}

/** Where sessions go. */
export interface SessionHandlers {
  /** Serves a client that speaks the control protocol, until the session ends. */
  serve(session: IngressSession): void;
  /**
   * Opens a tunnel for a plain client's forward at once.
   * @param name wanted name; undefined for a random one
   * @throws ControlRefusal (or rejects with it) when the name is not to be had
   */
  openPlain(
    session: PlainSession,
    forward: Forward,
    name: string | undefined,
  ): PlainTunnel | Promise<PlainTunnel>;
}
