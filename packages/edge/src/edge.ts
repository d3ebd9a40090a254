// The composition root of the edge: makes every part from the configuration and joins them.
import type { RequestObserver } from "./access-log/record.ts";
import { createAccessLog, type AccessLog } from "./access-log/access-log.ts";
import type { EdgeConfig } from "./config/schema.ts";
import { formatListen, type ListenAddress } from "./config/values.ts";
import { createControl, type Control } from "./control/control.ts";
import type { HttpLimits, HttpTimeouts } from "./http/limits.ts";
import { createHttpEdge, type HttpEdge } from "./http/listener.ts";
import {
  createEmbeddedIngress,
  type EmbeddedIngress,
} from "./ingress/embedded/embedded-ingress.ts";
import { generateHostKey } from "./ingress/embedded/host-key.ts";
import type { EmbeddedIngressOptions } from "./ingress/embedded/options.ts";
import type { OpensshIngress } from "./ingress/openssh/options.ts";
import { createOpensshIngress } from "./ingress/openssh/ingress.ts";
import { createAdmin, type Admin, type Readiness } from "./metrics/admin.ts";
import { createEdgeMetrics } from "./metrics/edge-metrics.ts";
import { matchesName } from "./registry/matches-name.ts";
import type { UsersChange } from "./registry/diff-users.ts";
import { createUsersStore, type UsersStore } from "./registry/users-store.ts";
import { createResumeTokens } from "./routes/resume.ts";
import { createRouteTable, type RouteTable } from "./routes/table.ts";
import { loadOrCreate, loadSecret } from "./state.ts";
import { createLog, type Log } from "./util/log.ts";

/** Where a running edge listens; ports are the real ones. */
export interface EdgeAddresses {
  readonly http: readonly ListenAddress[];
  /** Of the embedded SSH server; empty where it is off. */
  readonly ssh: readonly ListenAddress[];
  readonly admin: ListenAddress | undefined;
}

/** One edge. */
export interface Edge {
  /** Starts everything. When a part fails, those before it are closed again. @throws EdgeError */
  start(): Promise<void>;
  /**
   * Stops gracefully: no new connections, clients are told to come back, running requests finish, WebSockets get a
   * close frame. What still runs after the deadline is cut. A second call with 0 ends everything at once.
   *
   * @param deadlineMs default: `timeouts.shutdown`
   */
  close(deadlineMs?: number): Promise<void>;
  /** Opens the access log's file again, after it was renamed. */
  reopenLogs(): void;
  /** Reads the users file now, watcher or not. */
  reloadUsers(): Promise<void>;
  /** Only while it runs. */
  readonly addresses: EdgeAddresses;
}

/** Builds an edge; nothing is opened before start(). */
export function createEdge(
  config: EdgeConfig,
  options: { log?: Log } = {},
): Edge {
  return new ComposedEdge(
    config,
    options.log ??
      createLog({ level: config.log.level, format: config.log.format }),
  );
}

class ComposedEdge implements Edge {
  readonly #config: EdgeConfig;
  readonly #log: Log;
  #parts: Parts | undefined;
  #readiness: Readiness = "starting";
  #closing: Promise<void> | undefined;

  constructor(config: EdgeConfig, log: Log) {
    this.#config = config;
    this.#log = log;
  }

  async start(): Promise<void> {
    const parts = await buildParts(
      this.#config,
      this.#log,
      () => this.#readiness,
    );
    this.#parts = parts;
    try {
      await startParts(parts, this.#config);
    } catch (error) {
      await this.close(0);
      throw error;
    }
    this.#readiness = "ready";
    const { http, ssh, admin } = this.addresses;
    this.#log.info("ready", {
      http: http.map(formatListen).join(" "),
      ssh: ssh.map(formatListen).join(" ") || undefined,
      admin: admin && formatListen(admin),
      urls: parts.urlPattern(),
    });
  }

  async close(deadlineMs = this.#config.timeouts.shutdown): Promise<void> {
    const parts = this.#parts;
    if (!parts) return;
    this.#readiness = "draining";
    // A later call may bring the deadline forward.
    void parts.http.close({ deadlineMs });
    this.#closing ??= closeParts(parts, deadlineMs);
    await this.#closing;
  }

  reopenLogs(): void {
    this.#parts?.accessLog.reopen();
  }

  async reloadUsers(): Promise<void> {
    await this.#parts?.users.reload();
  }

  get addresses(): EdgeAddresses {
    const parts = this.#parts;
    if (!parts) throw new Error("The edge was not started.");
    return {
      http: parts.bound,
      ssh: parts.embedded.map((ingress) => ingress.address()),
      admin: parts.admin?.address(),
    };
  }
}

interface Parts {
  readonly users: UsersStore;
  readonly accessLog: AccessLog;
  readonly table: RouteTable;
  readonly control: Control;
  readonly http: HttpEdge;
  /** What `http` is bound to, in the order of the configuration. */
  readonly bound: ListenAddress[];
  /** Every port that the edge listens on; no tunnel may lead there. */
  readonly ownPorts: Set<number>;
  readonly embedded: readonly EmbeddedIngress[];
  readonly openssh: OpensshIngress | undefined;
  readonly admin: Admin | undefined;
  readonly urlPattern: () => string;
}

async function buildParts(
  config: EdgeConfig,
  log: Log,
  readiness: () => Readiness,
): Promise<Parts> {
  const secret = await loadSecret(config.stateDir);
  const users = createUsersStore({
    file: config.users,
    directPorts: config.ingress.openssh.directPorts,
    onChange: usersChanged,
    log,
  });
  const accessLog = createAccessLog({ ...config.accessLog, log });
  const metrics = createEdgeMetrics();
  const bound: ListenAddress[] = [];
  const ownPorts = new Set<number>();
  const urlOf = createUrls(config, bound);
  const urlPattern = (): string => urlOf(`*.${config.domain[0]}`);

  const table = createRouteTable({
    domains: config.domain,
    urlOf,
    reserved: new Set(config.reservedNames),
    mayClaim: matchesName,
    resume: createResumeTokens(secret),
    graceMs: config.timeouts.lease,
    maxTunnelsPerIdentity: config.limits.tunnelsPerIdentity,
    defaultName: config.defaultName,
  });
  const control: Control = createControl({
    table,
    urlPattern,
    formatTarget: accessLog.formatTarget,
    onOpened: (tunnel) => http.warm(tunnel),
    log,
  });
  const http = createHttpEdge({
    router: table,
    observer: observeAll(
      [metrics.observe, control.observe, accessLog.observe],
      log,
    ),
    publicScheme: config.publicUrl?.scheme ?? "http",
    publicPort: config.publicUrl?.port ?? config.listen[0]!.port,
    trustedProxies: config.trustedProxies,
    limits: httpLimits(config),
    timeouts: httpTimeouts(config),
    onBug: (error) => log.error("bug", { error: stackOf(error) }),
  });
  const embedded = await buildEmbedded(config, {
    findIdentity: (blob) => users.findByKey(blob),
    handlers: control,
    formatTarget: accessLog.formatTarget,
    log,
  });
  const openssh = config.ingress.openssh.enabled
    ? createOpensshIngress({
        ...config.ingress.openssh,
        users: () => users.users(),
        handlers: control,
        ownPorts: () => ownPorts,
        limits: {
          maxSessionsPerIdentity: config.limits.sessionsPerIdentity,
        },
        log,
      })
    : undefined;
  const admin = config.admin.enabled
    ? createAdmin({
        listen: config.admin.listen,
        readiness,
        metrics: () => metrics.render(),
        log,
      })
    : undefined;

  metrics.watch({
    tunnels: () => table.counts,
    sessions: () => control.sessionCounts,
    visitorConnections: () => http.stats().connections,
    refusedConnections: () => http.stats().refusedConnections,
    requestsInFlight: () => http.stats().requests,
    upgradesOpen: () => http.stats().upgrades,
    users: () => users.counters,
    accessLog: () => accessLog.counters,
  });

  function usersChanged(change: UsersChange): void {
    for (const { id } of change.removedIdentities) table.forget(id);
    for (const ingress of embedded) ingress.recheck();
    openssh?.update().catch((error: unknown) => {
      log.error("sshd's keys are not up to date", { error });
    });
  }

  return {
    ...{ users, accessLog, table, control, http, bound, ownPorts },
    ...{ embedded, openssh, admin, urlPattern },
  };
}

async function buildEmbedded(
  config: EdgeConfig,
  shared: Pick<
    EmbeddedIngressOptions,
    "findIdentity" | "handlers" | "formatTarget" | "log"
  >,
): Promise<EmbeddedIngress[]> {
  const { enabled, hostKey, listen } = config.ingress.embedded;
  if (!enabled) return [];
  const hostKeys = [await loadOrCreate(hostKey, generateHostKey)];
  return listen.map(({ host, port }) =>
    createEmbeddedIngress({
      ...{ ...shared, host, port, hostKeys },
      limits: {
        loginGraceMs: config.timeouts.login,
        maxAuthTries: config.limits.loginAttempts,
        maxUnauthenticated: config.limits.loginsAtOnce,
        maxUnauthenticatedPerAddress: config.limits.loginsPerAddress,
        maxConnectionsPerIdentity: config.limits.sessionsPerIdentity,
      },
    }),
  );
}

// Visitors' listeners come before the ingresses: a tunnel's URL carries the port, and must work when it is given out.
async function startParts(parts: Parts, config: EdgeConfig): Promise<void> {
  const { admin, http, bound, embedded, ownPorts } = parts;
  if (admin) {
    await admin.start();
    ownPorts.add(admin.address().port);
  }
  for (const { host, port } of config.listen) {
    const { address, port: real } = await http.listen(host, port);
    bound.push({ host: address, port: real });
    ownPorts.add(real);
  }
  for (const ingress of embedded) {
    await ingress.start();
    ownPorts.add(ingress.address().port);
  }
  await parts.openssh?.start();
}

async function closeParts(parts: Parts, deadlineMs: number): Promise<void> {
  const ingresses = [
    ...parts.embedded,
    ...(parts.openssh ? [parts.openssh] : []),
  ];
  for (const ingress of ingresses) ingress.stopAccepting();
  parts.control.announceDrain();
  await parts.http.close({ deadlineMs });
  await Promise.all(ingresses.map((ingress) => ingress.close()));
  parts.table.dispose();
  parts.users.close();
  await parts.admin?.close();
  await parts.accessLog.close();
}

/** @param bound filled when the listeners are; the first one's port stands in URLs unless the operator says otherwise */
function createUrls(
  config: EdgeConfig,
  bound: readonly ListenAddress[],
): (hostname: string) => string {
  const scheme = config.publicUrl?.scheme ?? "http";
  return (hostname) => {
    const port = config.publicUrl?.port ?? bound[0]!.port;
    const isDefault = port === (scheme === "https" ? 443 : 80);
    return `${scheme}://${hostname}${isDefault ? "" : `:${port}`}`;
  };
}

// One observer that fails must not keep the others from hearing, nor a visitor from being served.
function observeAll(
  observers: readonly (RequestObserver | undefined)[],
  log: Log,
): RequestObserver {
  const present = observers.filter((observer) => observer !== undefined);
  return (record) => {
    for (const observe of present) {
      try {
        observe(record);
      } catch (error) {
        log.error("bug", { error: stackOf(error) });
      }
    }
  };
}

const stackOf = (error: unknown): string =>
  error instanceof Error ? (error.stack ?? error.message) : String(error);

const httpLimits = ({ limits }: EdgeConfig): Partial<HttpLimits> => ({
  requestHeadBytes: limits.headerBytes,
  headerFields: limits.headerFields,
  responseHeadBytes: limits.responseHeaderBytes,
  connections: limits.connections,
  connectionsPerVisitor: limits.connectionsPerVisitor,
  requestsPerTunnel: limits.requestsPerTunnel,
  connectionsPerTunnel: limits.connectionsPerTunnel,
  connectsPerTunnel: limits.connectsPerTunnel,
  upgradesPerTunnel: limits.upgradesPerTunnel,
});

const httpTimeouts = ({ timeouts }: EdgeConfig): Partial<HttpTimeouts> => ({
  headersMs: timeouts.headers,
  keepAliveMs: timeouts.idle,
  awayWaitMs: timeouts.awayWait,
  connectMs: timeouts.connect,
  firstByteMs: timeouts.firstByte,
  responseIdleMs: timeouts.responseIdle,
  requestIdleMs: timeouts.requestIdle,
  visitorStallMs: timeouts.visitorStall,
});
