// What the embedded ingress is made from, and the bounds within which it serves.
import type { Identity } from "../../registry/identity.ts";
import type { Log } from "../../util/log.ts";
import type { SessionHandlers } from "../handlers.ts";

/** What the embedded ingress needs. */
export interface EmbeddedIngressOptions {
  /** Address to listen on. */
  readonly host: string;
  /** Port to listen on; 0 for one that the system picks. */
  readonly port: number;
  /** Private host keys in PEM or OpenSSH format, without a passphrase. At least one, at most one of each type counts. */
  readonly hostKeys: readonly (string | Buffer)[];
  /**
   * Looks a public key up in the users file. Asked once per login attempt, and again for each session when the file
   * has changed.
   * @param keyBlob the public key as RFC 4253 section 6.6 encodes it
   * @param algorithm the key's type as the blob names it: `ssh-ed25519`, `ssh-rsa`
   */
  readonly findIdentity: (
    keyBlob: Buffer,
    algorithm: string,
  ) => Identity | undefined;
  /** Where sessions go. */
  readonly handlers: SessionHandlers;
  /** Makes a request target fit for a terminal: secrets redacted, control bytes escaped, cut. */
  readonly formatTarget: (target: string) => string;
  readonly log: EmbeddedLog;
  /** The edge's other processes: what an identity has there counts as well, and they want to know what it has here. */
  readonly logins?: {
    elsewhere(identityId: string): number;
    changed(identityId: string, connections: number): void;
  };
  /** Each absent field has its value of {@link defaultLimits}. */
  readonly limits?: Partial<EmbeddedLimits>;
}

/** What the ingress tells the operator. */
export type EmbeddedLog = Pick<Log, "error" | "warn" | "info" | "debug">;

/** Bounds on what strangers and clients may cost. */
export interface EmbeddedLimits {
  /** From the TCP connection to a finished login. ssh2 itself waits for ever. */
  readonly loginGraceMs: number;
  /** Refused authentication requests after which the connection ends; the first `none` is free, as in OpenSSH. */
  readonly maxAuthTries: number;
  /** Connections that have not logged in; one more ends the oldest, so that a flood cannot lock everyone out. */
  readonly maxUnauthenticated: number;
  /** The same for one IPv4 address or one IPv6 /64; here the newest is refused. */
  readonly maxUnauthenticatedPerAddress: number;
  readonly maxConnectionsPerIdentity: number;
  /** Session channels open at once on one connection. */
  readonly maxSessions: number;
  /** Forwards of one connection. */
  readonly maxForwards: number;
  /** Channels of one connection that the edge opened. OpenSSH ends a connection that has 16,384. */
  readonly maxChannels: number;
  /** How long a client may take to answer when the edge opens a channel. */
  readonly channelOpenMs: number;
  /** How long a plain client may stay without any tunnel before it is told how to ask for one, and let go. */
  readonly settleMs: number;
  /** How long a logged-in connection may stay that holds neither a forward nor a session. */
  readonly unusedMs: number;
  /** After this long without a sign of life the client is pinged. */
  readonly pingAfterMs: number;
  /** After this long without a sign of life the connection ends. */
  readonly deadAfterMs: number;
  /** How long an ending connection may take to read the last words. */
  readonly lingerMs: number;
  /** New keys after this many bytes, both directions together. */
  readonly rekeyAfterBytes: number;
  /** New keys after this long (RFC 4253 section 9: an hour). */
  readonly rekeyAfterMs: number;
  /** Bytes that may wait for one client before its connection is given up. What http/ sends stays far below. */
  readonly maxQueuedBytes: number;
  /** Bytes that the receive windows of one connection may grow by, on top of the 1 MiB that each channel starts with. */
  readonly maxWindowBytes: number;
  /** The same for all connections together. */
  readonly maxWindowBytesInAll: number;
}

/** Bounds for an edge on a small VPS. */
export const defaultLimits: EmbeddedLimits = {
  loginGraceMs: 20_000,
  maxAuthTries: 6,
  maxUnauthenticated: 1_000,
  // An office behind one address whose clients all come back after the edge has restarted.
  maxUnauthenticatedPerAddress: 250,
  maxConnectionsPerIdentity: 100,
  maxSessions: 8,
  maxForwards: 100,
  maxChannels: 8_000,
  channelOpenMs: 15_000,
  settleMs: 1_000,
  unusedMs: 60_000,
  pingAfterMs: 15_000,
  deadAfterMs: 45_000,
  lingerMs: 500,
  rekeyAfterBytes: 1024 ** 3,
  rekeyAfterMs: 60 * 60 * 1_000,
  maxQueuedBytes: 32 * 1024 ** 2,
  // Two streams at 16 MiB each, or many that share a line.
  maxWindowBytes: 32 * 1024 ** 2,
  maxWindowBytesInAll: 256 * 1024 ** 2,
};
