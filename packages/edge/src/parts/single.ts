// An edge of one process: makes every part from the configuration and joins them.
import { createAccessLog } from "../access-log/access-log.ts";
import type { EdgeConfig } from "../config/schema.ts";
import type { ListenAddress } from "../config/values.ts";
import { createControl } from "../control/control.ts";
import { createAdmin } from "../metrics/admin.ts";
import { createEdgeMetrics } from "../metrics/edge-metrics.ts";
import { renderFigures } from "../metrics/metrics.ts";
import { createUsersStore } from "../registry/users-store.ts";
import { loadSecret } from "../state.ts";
import { createEmbeddedIngresses, createOpenssh } from "./ingresses.ts";
import { observeAll } from "./observe-all.ts";
import { createRoutes } from "./routes.ts";
import type { EdgeContext, RunningEdge } from "./running-edge.ts";
import { createUrls } from "./urls.ts";
import { createVisitors } from "./visitors.ts";

/** Builds it; nothing listens before start(). @throws EdgeError */
export async function createSingleEdge(
  config: EdgeConfig,
  { log, readiness }: EdgeContext,
): Promise<RunningEdge> {
  const secret = await loadSecret(config.stateDir);
  const users = createUsersStore({
    file: config.users,
    directPorts: config.ingress.openssh.directPorts,
    onChange(change) {
      for (const { id } of change.removedIdentities) table.forget(id);
      for (const ingress of embedded) ingress.recheck();
      openssh?.update().catch((error: unknown) => {
        log.error("sshd's keys are not up to date", { error });
      });
    },
    log,
  });
  const accessLog = createAccessLog({ ...config.accessLog, log });
  const metrics = createEdgeMetrics();
  const bound: ListenAddress[] = [];
  const ownPorts = new Set<number>();
  const urls = createUrls(config, bound);
  const table = createRoutes(config, { urlOf: urls.of, secret });
  const control = createControl({
    table,
    urlPattern: urls.pattern,
    formatTarget: accessLog.formatTarget,
    onOpened: (tunnel) => http.warm(tunnel),
    log,
  });
  const visitors = createVisitors(config, {
    router: table,
    observer: observeAll(
      [metrics.observe, control.observe, accessLog.observe],
      log,
    ),
    bound,
    log,
  });
  const { http } = visitors;
  const embedded = await createEmbeddedIngresses(config, {
    findIdentity: (blob) => users.findByKey(blob),
    handlers: control,
    formatTarget: accessLog.formatTarget,
    log,
  });
  const openssh = createOpenssh(config, {
    users: () => users.users(),
    handlers: control,
    ownPorts: () => ownPorts,
    log,
  });
  const admin = config.admin.enabled
    ? createAdmin({
        listen: config.admin.listen,
        readiness,
        metrics: () => renderFigures(metrics.figures()),
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

  // Visitors' listeners come before the ingresses: a tunnel's URL carries the port, and must work when it is given out.
  async function start(): Promise<void> {
    if (admin) {
      await admin.start();
      ownPorts.add(admin.address().port);
    }
    await visitors.listen();
    for (const { port } of bound) ownPorts.add(port);
    for (const ingress of embedded) {
      await ingress.start();
      ownPorts.add(ingress.address().port);
    }
    await openssh?.start();
  }

  async function stop(deadlineMs: number): Promise<void> {
    const ingresses = [...embedded, ...(openssh ? [openssh] : [])];
    for (const ingress of ingresses) ingress.stopAccepting();
    control.announceDrain();
    await http.close({ deadlineMs });
    await Promise.all(ingresses.map((ingress) => ingress.close()));
    table.dispose();
    users.close();
    await admin?.close();
    await accessLog.close();
  }

  let closing: Promise<void> | undefined;
  return {
    start,
    close(deadlineMs) {
      // A later call may bring the deadline forward.
      void http.close({ deadlineMs });
      return (closing ??= stop(deadlineMs));
    },
    reopenLogs: () => accessLog.reopen(),
    reloadUsers: () => users.reload(),
    get addresses() {
      return {
        http: bound,
        ssh: embedded.map((ingress) => ingress.address()),
        admin: admin?.address(),
      };
    },
    urlPattern: urls.pattern,
  };
}
