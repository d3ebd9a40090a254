// An edge of one process: makes every part from the configuration and joins them.
import { createAccessLog, type AccessLog } from "../access-log/access-log.ts";
import type { EdgeConfig } from "../config/schema.ts";
import type { ListenAddress } from "../config/values.ts";
import { createControl } from "../control/control.ts";
import { createEdgeMetrics } from "../metrics/edge-metrics.ts";
import { renderFigures } from "../metrics/metrics.ts";
import { loadSecret } from "../state.ts";
import { createEmbeddedIngresses } from "./ingresses.ts";
import { observeAll } from "./observe-all.ts";
import { createOperatorSide } from "./operator-side.ts";
import { createRoutes } from "./routes.ts";
import type { EdgeContext, RunningEdge } from "./running-edge.ts";
import { createUrls } from "./urls.ts";
import { createVisitors } from "./visitors.ts";

/** Builds it; nothing listens before start(). @throws EdgeError */
export async function createSingleEdge(
  config: EdgeConfig,
  context: EdgeContext,
): Promise<RunningEdge> {
  const secret = await loadSecret(config.stateDir);
  const accessLog = createAccessLog({ ...config.accessLog, log: context.log });
  try {
    return await assemble(config, context, secret, accessLog);
  } catch (error) {
    await accessLog.close();
    throw error;
  }
}

async function assemble(
  config: EdgeConfig,
  { log, readiness }: EdgeContext,
  secret: Buffer,
  accessLog: AccessLog,
): Promise<RunningEdge> {
  const metrics = createEdgeMetrics();
  const bound: ListenAddress[] = [];
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
    findIdentity: (blob) => operator.users.findByKey(blob),
    handlers: control,
    formatTarget: accessLog.formatTarget,
    log,
  });
  // The last part that can fail: it goes on to look at the users file until it is closed.
  const operator = createOperatorSide(config, {
    handlers: control,
    metrics: () => renderFigures(metrics.figures()),
    forget: (id) => table.forget(id),
    usersChanged() {
      for (const ingress of embedded) ingress.recheck();
    },
    ...{ log, readiness },
  });
  const { users, openssh } = operator;
  metrics.watch({
    ...visitors.figures,
    tunnels: () => table.counts,
    sessions: () => control.sessionCounts,
    users: () => users.counters,
    accessLog: () => accessLog.counters,
  });

  const sshAddresses = (): ListenAddress[] =>
    embedded.map((ingress) => ingress.address());

  // Visitors' listeners come before the ingresses: a tunnel's URL carries the port, and must work when it is given out.
  async function start(): Promise<void> {
    await operator.startAdmin();
    await visitors.listen();
    for (const ingress of embedded) await ingress.start();
    await operator.startOpenssh([...bound, ...sshAddresses()]);
  }

  async function stop(deadlineMs: number): Promise<void> {
    const ingresses = [...embedded, ...(openssh ? [openssh] : [])];
    for (const ingress of ingresses) ingress.stopAccepting();
    control.announceDrain();
    await http.close({ deadlineMs });
    await Promise.all(ingresses.map((ingress) => ingress.close()));
    table.dispose();
    await operator.close();
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
        ssh: sshAddresses(),
        admin: operator.adminAddress,
      };
    },
    urlPattern: urls.pattern,
  };
}
