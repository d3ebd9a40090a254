// What the rest of the edge knows of SSH: a forward is something that connects.
import type { Duplex } from "node:stream";
import type { LinkPressure } from "@expose/protocol";

/** Who the connection is for; SSH passes it on to the client (RFC 4254 section 7.2, originator). */
export interface Visitor {
  /** Textual IP address of the visitor, after trusted proxies were taken into account. */
  address: string;
  port: number;
}

/** A connection through a forward. */
export interface ForwardedConnection {
  /**
   * The bytes. `end()` half-closes, `destroy()` ends both ways at once, and `close` always follows; the stream begins
   * paused. A channel of an embedded session is no socket: setTimeout, setNoDelay and their like are missing.
   */
  readonly stream: Duplex;
  /** Pressure of the SSH link under the stream; undefined where the kernel's own backpressure reaches us. */
  readonly link: LinkPressure | undefined;
}

/** What another process of the same edge needs to connect through a forward by itself. */
export interface DirectRoute {
  /** On 127.0.0.1. */
  readonly port: number;
  /** What the client says first on each connection, and what it is answered. Secrets of one session. */
  readonly proof: { readonly client: string; readonly edge: string };
  /** The account that has to listen there; undefined when it is not to be checked. */
  readonly uid: number | undefined;
}

/** One SSH remote forward (RFC 4254 section 7.1), held by one session. It ends with that session at the latest. */
export interface Forward {
  /** The port that the client asked for or was given; a virtual number in `embedded` mode. */
  readonly port: number;
  /** Whether connect() can no longer succeed. */
  readonly closed: boolean;
  /** Absent where connections begin in the process that holds the session (`embedded`). */
  readonly direct?: DirectRoute;
  /**
   * Opens a connection to whatever the client joins the forward with. In `openssh` mode it resolves only after the
   * client's proof was read and checked.
   *
   * @throws EdgeError `forward-failed` when the connection cannot be opened or the proof is wrong or late; with
   *   `upstreamDown` when the client answered that it cannot reach the local service
   */
  connect(visitor: Visitor): Promise<ForwardedConnection>;
  /** Calls back once when the forward has ended (at once when it already has). @returns a function that forgets it */
  onceClosed(callback: () => void): () => void;
}
