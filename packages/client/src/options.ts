// What callers of the Node API may say. The CLI and the config file end up in the same two objects.
import type { UpstreamSpec } from "@expose/protocol";

/** How to reach the server. */
export interface SessionOptions {
  /** `user@host[:port]` or a Host of ~/.ssh/config. Absent: EXPOSE_SERVER, then the config file. */
  server?: string | undefined;
  /** Private key files to offer instead of the agent's keys and ~/.ssh's. */
  identity?: string | readonly string[] | undefined;
  /** Pin the key of a server that was never seen without asking. Default: false. A changed key is refused always. */
  acceptNewHostKey?: boolean | undefined;
  /** known_hosts files; the first is the one that new keys are written to. Default: ours, then ~/.ssh/known_hosts. */
  knownHosts?: readonly string[] | undefined;
  /** File in place of ~/.ssh/config; `none` reads none. */
  sshConfig?: string | undefined;
  /** Asks the person at the keyboard. Absent: nobody can be asked, and what needs an answer fails. */
  prompt?: Prompt | undefined;
  /** Ends the session (and a connection attempt that is under way) when it fires. */
  signal?: AbortSignal | undefined;
  /** Receive `request` events. Default: true. */
  watchRequests?: boolean | undefined;
  /** Hears what a person should know about the login (a new host key was pinned, a directive is not supported). */
  log?: SessionLog | undefined;
  /** The inspector: keeps what passes, and serves a page that shows it. Default: false. */
  inspect?: boolean | InspectOptions | undefined;
}

/** How the inspector works. */
export interface InspectOptions {
  /** Port of 127.0.0.1 for its page; the next free one when it is taken. Default: 4040. */
  port?: number | undefined;
  /** A token of yours, 16 characters or more: scripts get nothing without it, and everything of the API with it. */
  apiToken?: string | undefined;
  /** Write secrets of headers and queries to the history too. Default: false. */
  keepSecrets?: boolean | undefined;
  /** Folder of the history and of what the command line finds a running client by. Default: `expose` in XDG_STATE_HOME. */
  stateFolder?: string | undefined;
  /** How webhooks are checked, by the provider's name; secrets come from the environment. */
  webhooks?: Readonly<Record<string, WebhookOptions>> | undefined;
  /** What outlives this run. */
  history?: HistoryOptions | undefined;
}

/** How one provider of webhooks is checked. With a header, it is a provider of its own: an HMAC of the body. */
export interface WebhookOptions {
  /** Name of the environment variable with the secret. Default: EXPOSE_WEBHOOK_SECRET_ and the provider's name. */
  secretEnv?: string | undefined;
  /** Header with the signature. */
  header?: string | undefined;
  /** Default: `sha256`. */
  algorithm?: "sha1" | "sha256" | "sha384" | "sha512" | undefined;
  /** How the signature is written. Default: `hex`. */
  encoding?: "hex" | "base64" | undefined;
  /** What stands before it, such as `sha256=`. Default: nothing. */
  prefix?: string | undefined;
  /** What the secret is: text, or the hex or base64 of the key. Default: `text`. */
  secretEncoding?: "text" | "hex" | "base64" | undefined;
}

/** Bounds of the history on disk, which all clients of a user share. */
export interface HistoryOptions {
  /** Default: true. */
  enabled?: boolean | undefined;
  /** Size of its file. Default: 256 MiB. */
  maxBytes?: number | undefined;
  /** Default: 50,000. */
  maxExchanges?: number | undefined;
  /** Default: 7. */
  maxAgeDays?: number | undefined;
  /** Of each body; what is beyond is counted, not kept. Default: 1 MiB. */
  maxBodyBytes?: number | undefined;
}

/** Takes sentences for a person; they are safe for a terminal. */
export interface SessionLog {
  info(sentence: string): void;
  warn(sentence: string): void;
}

/** Asks a person. Each resolves with undefined when the person gives no answer. */
export interface Prompt {
  /** For a passphrase: what is typed is not shown. */
  secret(question: string): Promise<string | undefined>;
  confirm(question: string): Promise<boolean | undefined>;
}

/** Where a tunnel leads and what it is called. */
export interface TunnelOptions {
  /** A local port, dialled as localhost over IPv6 and IPv4. Excludes `upstream`. */
  port?: number | undefined;
  /** `8080`, `host:port`, a URL, `unix:/path`, a folder, or the parsed form. Excludes `port`. */
  upstream?: string | UpstreamSpec | undefined;
  /** Wanted subdomain. Absent: the edge chooses a random one, and it stays the same over reconnects. */
  name?: string | undefined;
  /** `preserve` (default), `rewrite`, or a literal host for the Host header that the local service sees. */
  hostHeader?: string | undefined;
  /** PEM file with the authorities that an HTTPS upstream is verified against, in addition to Node's own. */
  upstreamCa?: string | undefined;
}
