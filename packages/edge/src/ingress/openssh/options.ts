// What the openssh ingress is made from, and the bounds within which it serves.
import type { Identity } from "../../registry/identity.ts";
import type { Log } from "../../util/log.ts";
import type { SessionHandlers } from "../handlers.ts";
import type { Ingress } from "../ingress.ts";

/** An identity of the users file and its public keys. */
export interface OpensshUser {
  readonly identity: Identity;
  readonly keys: readonly {
    /** The key's type as its blob names it: `ssh-ed25519`, `ssh-rsa`. */
    readonly type: string;
    /** The key as RFC 4253 section 6.6 encodes it. */
    readonly blob: Buffer;
  }[];
}

/** What the openssh ingress needs. */
export interface OpensshIngressOptions {
  /**
   * Folder of the control sockets. Only the edge may write to it and only the tunnels' account may enter it (mode 2710,
   * owned by the edge, the account's group): the socket that somebody connects to says who they are.
   */
  readonly controlDir: string;
  /** File that sshd's AuthorizedKeysCommand reads; rewritten by `start()` and `update()`. */
  readonly keysFile: string;
  /** Everybody who may log in, as the users file says now. Each identity once. */
  users(): readonly OpensshUser[];
  /** Where sessions go. */
  readonly handlers: Pick<SessionHandlers, "serve">;
  /** Ports that this edge listens on itself, which no tunnel may lead to. */
  ownPorts(): ReadonlySet<number>;
  /**
   * The system account that the tunnels log in to. When given, connections are opened only to listeners that this account
   * holds, as /proc/net/tcp tells; where there is no such file nothing is checked.
   */
  readonly account?: string | undefined;
  readonly log: OpensshLog;
  /** Each absent field has its value of {@link defaultLimits}. */
  readonly limits?: Partial<OpensshLimits>;
}

/** What the ingress tells the operator. */
export type OpensshLog = Pick<Log, "warn" | "info" | "debug">;

/** Bounds on what tenants may cost, and on how long things may take. */
export interface OpensshLimits {
  readonly maxSessionsPerIdentity: number;
  readonly maxSessions: number;
  /** Connections through one session's forwards. OpenSSH ends a connection that has 16,384 channels. */
  readonly maxConnectionsPerSession: number;
  /** From the start of a connection through a forward until the client's proof was read. */
  readonly proofMs: number;
  /** How long an ending session may take to read its last words. */
  readonly lingerMs: number;
  /** How often SSH connections without a control session are looked for. */
  readonly sweepEveryMs: number;
  /** Age at which an SSH connection without a control session is ended. */
  readonly sessionlessS: number;
}

/** Bounds for an edge on a small VPS. */
export const defaultLimits: OpensshLimits = {
  maxSessionsPerIdentity: 100,
  maxSessions: 10_000,
  maxConnectionsPerSession: 8_000,
  proofMs: 5_000,
  lingerMs: 200,
  sweepEveryMs: 15_000,
  sessionlessS: 30,
};

/** The openssh ingress; besides sessions it keeps the files that sshd reads. */
export interface OpensshIngress extends Ingress {
  readonly kind: "openssh";
  /**
   * Takes over what `users()` says now: rewrites the keys file, makes and removes control sockets, and ends the sessions of
   * each identity that lost a key or whose rights changed. Those whose keys are still good come back by themselves.
   * Sessions are ended even when writing fails.
   *
   * @throws EdgeError `state-unwritable` or `listen-failed`
   */
  update(): Promise<void>;
}
