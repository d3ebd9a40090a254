// What the primary and its workers say to each other. Both are processes of one release, so nothing is checked or versioned.
import type { RequestRecord } from "../access-log/record.ts";
import type { EdgeConfig } from "../config/schema.ts";
import type { ListenAddress } from "../config/values.ts";
import type { DirectRoute } from "../ingress/forward.ts";
import type { ReplicatedUser } from "../registry/users-replica.ts";
import type { CloseCause, TunnelNews } from "../routes/live-tunnel.ts";
import type { LogFields, LogLevel } from "../util/log.ts";

/** What a worker is made from. */
export interface WorkerStart {
  readonly t: "start";
  /** Counts from 1 and is never used again: a worker that took another's place has one of its own. */
  readonly worker: number;
  readonly config: EdgeConfig;
  /** Folder of the workers' doors. */
  readonly folder: string;
  readonly secret: string;
  readonly users: readonly ReplicatedUser[];
  /** What every name leads to. */
  readonly routes: readonly WireRoute[];
  readonly logins: readonly (readonly [key: string, elsewhere: number])[];
}

/** What has become of a name. */
export type WireRoute =
  | { readonly kind: "open"; readonly tunnel: WireTunnel }
  | ({
      readonly kind: "news";
      readonly tunnel: number;
    } & TunnelNews)
  /** Keep connections through it ready. */
  | { readonly kind: "warm"; readonly tunnel: number }
  | { readonly kind: "away"; readonly name: string; readonly identity: string }
  | { readonly kind: "free"; readonly name: string };

/** An open tunnel. */
export interface WireTunnel {
  /** The primary's number of it. */
  readonly id: number;
  readonly name: string;
  readonly hostname: string;
  readonly url: string;
  readonly identity: string;
  readonly hostHeader: string;
  readonly upstream: string;
  readonly news: TunnelNews;
  readonly warm: boolean;
  readonly via:
    | { readonly kind: "direct"; readonly route: DirectRoute }
    | {
        readonly kind: "worker";
        readonly worker: number;
        /** That worker's number of the forward. */
        readonly forward: number;
        readonly port: number;
      };
}

/** Finished requests, for the sessions that their tunnels belong to. The headers stay where they are. */
export interface WireRecords {
  readonly t: "records";
  readonly records: readonly {
    readonly tunnel: number;
    readonly record: RequestRecord;
  }[];
}

/** A session wants a tunnel; answered with {@link ClaimAnswer}, or a ControlRefusal. */
export interface Claim {
  readonly t: "claim";
  /** The worker's number of the session. */
  readonly owner: number;
  readonly identity: string;
  readonly forward: number;
  readonly port: number;
  readonly name: string | undefined;
  readonly resume: string | undefined;
  readonly hostHeader: string;
  readonly upstream: string;
}

/** The tunnel is open, and every worker knows it. */
export interface ClaimAnswer {
  readonly tunnel: number;
  readonly resume: string;
}

/** From the primary to a worker. */
export type ToWorker =
  | WorkerStart
  | WireRecords
  /** Answered when it is known. */
  | { readonly t: "route"; readonly route: WireRoute }
  | { readonly t: "users"; readonly users: readonly ReplicatedUser[] }
  /** A tunnel of this worker's session was taken over. */
  | { readonly t: "superseded"; readonly tunnel: number }
  /** SSH connections of one identity in the other workers. */
  | { readonly t: "logins"; readonly key: string; readonly elsewhere: number }
  /** Connections of busy visitors in the other workers; those that are missing have few. */
  | {
      readonly t: "visitors";
      readonly elsewhere: readonly (readonly [string, number])[];
    }
  /** Answered with the worker's Figure[]. */
  | { readonly t: "figures" }
  | { readonly t: "reopen" }
  /** Takes nobody new; answered when all visitors have gone. */
  | { readonly t: "drain"; readonly deadlineMs: number }
  /** Ends everything; answered when it has, and the process ends. */
  | { readonly t: "stop" };

/** From a worker to the primary. */
export type ToPrimary =
  | Claim
  | WireRecords
  | { readonly t: "hello" }
  | {
      readonly t: "ready";
      readonly http: readonly ListenAddress[];
      readonly ssh: readonly ListenAddress[];
    }
  | {
      readonly t: "failed";
      readonly code: string | undefined;
      readonly message: string;
    }
  | { readonly t: "close"; readonly tunnel: number; readonly cause: CloseCause }
  | {
      readonly t: "news";
      readonly tunnel: number;
      readonly news: Partial<TunnelNews>;
    }
  | { readonly t: "warm"; readonly tunnel: number }
  | {
      readonly t: "log";
      readonly level: LogLevel;
      readonly message: string;
      readonly fields: LogFields;
    }
  /** Lines of the access log, where it is no file; answered when they were written. */
  | { readonly t: "lines"; readonly text: string }
  /** SSH connections of one identity in this worker. */
  | { readonly t: "logins"; readonly key: string; readonly count: number }
  /** Connections of busy visitors in this worker. */
  | {
      readonly t: "visitors";
      readonly counts: readonly (readonly [string, number])[];
    };
