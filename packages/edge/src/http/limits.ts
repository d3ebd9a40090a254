// Every bound and every time limit of the HTTP engine, with its default and the reason for it.

/** Bounds on what visitors and upstreams may make the edge hold. */
export interface HttpLimits {
  /** Bytes of a request's head; more is answered with 431. */
  readonly requestHeadBytes: number;
  /** Header fields of a request or of a response, trailers apart. */
  readonly headerFields: number;
  /** Bytes of a response's head, and of its trailers. */
  readonly responseHeadBytes: number;
  /** Visitors' connections in all; those above it are closed unanswered. */
  readonly connections: number;
  /** Connections of one visitor address (of one /64 in IPv6); those above it are answered with 429. */
  readonly connectionsPerVisitor: number;
  /** Requests in flight in one tunnel, waiting ones included; those above a visitor's share (shares.ts) get 503. */
  readonly requestsPerTunnel: number;
  /** Pooled connections of one tunnel, divided among its visitors (shares.ts). OpenSSH ends a session that opens 16,384 channels. */
  readonly connectionsPerTunnel: number;
  /** Connections of one tunnel being opened at a time: sshd listens with a backlog of 128. */
  readonly connectsPerTunnel: number;
  /** WebSockets of one tunnel; each has a connection of its own. */
  readonly upgradesPerTunnel: number;
}

/** How long things may take, in milliseconds. 0 switches off those that say so. */
export interface HttpTimeouts {
  /** For a request's head, counted from its first byte (or from the start of a connection). */
  readonly headersMs: number;
  /** How long an idle connection of a visitor is kept. Longer than the 60 s of the usual load balancers. */
  readonly keepAliveMs: number;
  /** How long a request waits for a client that has lost its connection. */
  readonly awayWaitMs: number;
  /** How long a request waits for a connection through the tunnel. */
  readonly connectMs: number;
  /** How long the upstream may take to begin its answer once it has the request, or to read the request. 0: no limit. */
  readonly firstByteMs: number;
  /** How long an upstream may pause inside an answer. 0, the default: no limit, because event streams do pause. */
  readonly responseIdleMs: number;
  /** How long a visitor may pause inside a request's body. */
  readonly requestIdleMs: number;
  /** How long a visitor may read nothing of what waits for them. */
  readonly visitorStallMs: number;
  /** How long an upstream connection may wait for its next request. Node's own servers close theirs after 5 s. */
  readonly poolIdleMs: number;
  /** How long the upstream may leave `Expect: 100-continue` unanswered (RFC 9110 section 10.1.1). */
  readonly continueMs: number;
  /** How long the rest of a request's body is read and dropped after it was answered. */
  readonly drainMs: number;
  /** How long the two ends of a WebSocket have to agree on the end once one of them has ended, or was told to. */
  readonly closingMs: number;
  /** Every limit is checked this often; nothing has a timer of its own. */
  readonly sweepMs: number;
}

export const defaultHttpLimits: HttpLimits = {
  requestHeadBytes: 32 * 1024,
  headerFields: 500,
  responseHeadBytes: 64 * 1024,
  connections: 15_000,
  connectionsPerVisitor: 256,
  requestsPerTunnel: 4_096,
  connectionsPerTunnel: 256,
  connectsPerTunnel: 64,
  upgradesPerTunnel: 8_192,
};

export const defaultHttpTimeouts: HttpTimeouts = {
  headersMs: 15_000,
  keepAliveMs: 65_000,
  awayWaitMs: 10_000,
  connectMs: 30_000,
  firstByteMs: 300_000,
  responseIdleMs: 0,
  requestIdleMs: 60_000,
  visitorStallMs: 120_000,
  poolIdleMs: 4_000,
  continueMs: 1_000,
  drainMs: 5_000,
  closingMs: 2_000,
  sweepMs: 1_000,
};

/** Interim (1xx) answers that one request may get; more is an upstream that floods. */
export const MAX_INTERIM_RESPONSES = 16;

/** Bytes of chunk extensions in one response; they mean nothing to anybody (RFC 9112 section 7.1.1). */
export const MAX_CHUNK_EXTENSION_BYTES = 4 * 1024;

/** Bytes of a request's body that are read and dropped after it was answered. */
export const MAX_DRAINED_BYTES = 16 * 1024 * 1024;

/** Requests that a visitor may send ahead of the answers on one connection. */
export const MAX_PIPELINED_REQUESTS = 128;

/** Addresses of an X-Forwarded-For that are looked at, from the right. */
export const MAX_FORWARDED_HOPS = 32;
