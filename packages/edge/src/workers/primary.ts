// An edge of several processes, seen from the one that the operator starts. It takes no visitors: it decides about names,
// holds the sessions of the openssh ingress, reads the users file, answers the operator, and looks after the workers.
//
// It stops in this order: nobody new, visitors of all workers until the deadline, sessions of the primary, workers.
import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createTargetFormatter } from "../access-log/redact.ts";
import { createNameJudge } from "../access-log/sensitive-names.ts";
import type { EdgeConfig } from "../config/schema.ts";
import type { ListenAddress } from "../config/values.ts";
import { createControl } from "../control/control.ts";
import { EdgeError } from "../errors.ts";
import { createEdgeMetrics } from "../metrics/edge-metrics.ts";
import { renderFigures, type Figure } from "../metrics/metrics.ts";
import { loadHostKey } from "../parts/ingresses.ts";
import { createOperatorSide } from "../parts/operator-side.ts";
import { createRoutes } from "../parts/routes.ts";
import type { EdgeContext, RunningEdge } from "../parts/running-edge.ts";
import { createUrls } from "../parts/urls.ts";
import type { ReplicatedUser } from "../registry/users-replica.ts";
import type { UsersStore } from "../registry/users-store.ts";
import { loadSecret } from "../state.ts";
import { createFigureSum } from "./figure-sum.ts";
import { createLineWriter } from "./line-writer.ts";
import type { ToPrimary, WireRecords, WireRoute } from "./messages.ts";
import { createWorkerPool } from "./pool.ts";
import { createPublishedRoutes } from "./published-routes.ts";
import { createSharedCounts } from "./shared-counts.ts";

// A worker that is busy for longer has visitors who wait for as long.
const ROUTE_MS = 2_000;
const FIGURES_MS = 1_000;
// Beyond the deadline itself, for what is done then.
const DRAIN_MS = 5_000;

/** Builds it; no process is started and nothing listens before start(). @throws EdgeError */
export async function createPrimaryEdge(
  config: EdgeConfig,
  { log, readiness }: EdgeContext,
): Promise<RunningEdge> {
  const stateSecret = await loadSecret(config.stateDir);
  // Before two workers want to make one.
  if (config.ingress.embedded.enabled) await loadHostKey(config);
  const secret = randomBytes(32).toString("base64url");
  const lines = createLineWriter(config.accessLog);
  const metrics = createEdgeMetrics();
  const figures = createFigureSum();
  const bound: ListenAddress[] = [];
  const urls = createUrls(config, bound);
  let folder = "";

  const routes = createPublishedRoutes({
    createTable: (onChange) =>
      createRoutes(config, { urlOf: urls.of, secret: stateSecret, onChange }),
    users: { findById: (id) => users.findById(id) },
    publish: (route: WireRoute) =>
      pool.askAll({ t: "route", route }, ROUTE_MS).then(() => {}),
    superseded: (worker, tunnel) =>
      pool.tell(worker, { t: "superseded", tunnel }),
  });
  const control = createControl({
    table: routes.book,
    urlPattern: urls.pattern,
    // The workers write the log; what is shown to people follows the same rules.
    formatTarget: createTargetFormatter(createNameJudge(config.accessLog)),
    onOpened: routes.warm,
    log,
  });
  const pool = createWorkerPool({
    count: config.workers,
    startOf: (worker) => ({
      t: "start",
      ...{ worker, config, folder, secret },
      users: toWire(users),
      routes: routes.snapshot(),
      logins: counts.loginsElsewhere(worker),
    }),
    handle,
    gone(worker) {
      figures.gone(worker);
      routes.workerGone(worker);
      counts.gone(worker);
    },
    log,
  });
  const counts = createSharedCounts(pool);
  // The last part that can fail: it goes on to look at the users file until it is closed.
  const operator = createOperatorSide(config, {
    handlers: control,
    metrics: async () => {
      figures.take(await pool.askAll<Figure[]>({ t: "figures" }, FIGURES_MS));
      return renderFigures(figures.sum(metrics.figures()));
    },
    forget: (id) => routes.table.forget(id),
    usersChanged: () => pool.tellAll({ t: "users", users: toWire(users) }),
    ...{ log, readiness },
  });
  const { users, openssh } = operator;
  metrics.watch({
    tunnels: () => routes.table.counts,
    sessions: () => control.sessionCounts,
    users: () => users.counters,
    workers: () => ({
      ...pool.counts,
      connections: figures.each("expose_visitor_connections"),
    }),
  });

  function handle(worker: number, message: ToPrimary): unknown {
    switch (message.t) {
      case "claim":
        return routes.claim(worker, message);
      case "close":
        return routes.close(worker, message.tunnel, message.cause);
      case "news":
        return routes.tell(worker, message.tunnel, message.news);
      case "warm":
        return routes.warmed(worker, message.tunnel);
      case "records":
        return passOn(message);
      case "log":
        return log[message.level](message.message, {
          worker,
          ...message.fields,
        });
      case "lines":
        return lines.write(message.text);
      case "logins":
        return counts.logins(worker, message.key, message.count);
      case "visitors":
        return counts.visitors(worker, message.counts);
      default:
        throw new Error(`Unexpected: ${message.t}`);
    }
  }

  function passOn({ records }: WireRecords): void {
    const batches = new Map<number, WireRecords["records"][number][]>();
    for (const each of records) {
      const owner = routes.workerOf(each.tunnel);
      if (owner === 0) control.observe(each.record);
      else if (owner !== undefined)
        batches.set(owner, [...(batches.get(owner) ?? []), each]);
    }
    for (const [owner, batch] of batches)
      pool.tell(owner, { t: "records", records: batch });
  }

  // Visitors' listeners come before the ingress: a tunnel's URL carries the port, and must work when it is given out.
  async function start(): Promise<void> {
    await operator.startAdmin();
    folder = await makeSocketFolder();
    await pool.start();
    bound.push(...pool.addresses.http);
    await operator.startOpenssh([...bound, ...pool.addresses.ssh]);
  }

  async function stop(deadlineMs: number): Promise<void> {
    pool.stopReplacing();
    openssh?.stopAccepting();
    control.announceDrain();
    await drain(deadlineMs);
    await openssh?.close();
    await pool.close();
    routes.table.dispose();
    await operator.close();
    await lines.close();
    if (folder) await rm(folder, { recursive: true, force: true });
  }

  const drain = (deadlineMs: number): Promise<unknown> =>
    pool.askAll({ t: "drain", deadlineMs }, deadlineMs + DRAIN_MS);

  let closing: Promise<void> | undefined;
  return {
    start,
    close(deadlineMs) {
      // A later call may bring the deadline forward.
      if (closing) void drain(deadlineMs);
      return (closing ??= stop(deadlineMs));
    },
    reopenLogs: () => pool.tellAll({ t: "reopen" }),
    reloadUsers: () => users.reload(),
    get addresses() {
      return { ...pool.addresses, admin: operator.adminAddress };
    },
    urlPattern: urls.pattern,
  };
}

// mkdtemp(3) makes it 0700. Not in the state directory, whose path may be too long for sockets in it.
async function makeSocketFolder(): Promise<string> {
  try {
    return await mkdtemp(join(tmpdir(), "expose-edge-"));
  } catch (error) {
    throw new EdgeError(
      "state-unwritable",
      `The folder for the sockets between the edge's workers cannot be made in ${tmpdir()} (${(error as NodeJS.ErrnoException).code}). Set TMPDIR to a folder that the edge may write to, with a short path.`,
      { cause: error },
    );
  }
}

const toWire = (users: UsersStore): ReplicatedUser[] =>
  users.users().map(({ identity, keys }) => ({
    identity,
    keys: keys.map(({ blob }) => blob.toString("base64")),
  }));
