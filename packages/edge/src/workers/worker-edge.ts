// What a worker serves with: the visitors' listeners, the embedded SSH server, and a copy of the routes.
import { join } from "node:path";
import { createAccessLog } from "../access-log/access-log.ts";
import type { RequestObserver } from "../access-log/record.ts";
import type { ListenAddress } from "../config/values.ts";
import { createControl } from "../control/control.ts";
import { createDirectForwards } from "../ingress/openssh/direct-forwards.ts";
import { defaultLimits } from "../ingress/openssh/options.ts";
import { createEdgeMetrics } from "../metrics/edge-metrics.ts";
import { createEmbeddedIngresses } from "../parts/ingresses.ts";
import { observeAll } from "../parts/observe-all.ts";
import { createUrls } from "../parts/urls.ts";
import { createVisitors } from "../parts/visitors.ts";
import { createUsersReplica } from "../registry/users-replica.ts";
import { createRouteReplica } from "../routes/replica.ts";
import type { Channel } from "./channel.ts";
import { createFarFeed } from "./far-feed.ts";
import { createFarLog, createFarSink } from "./far-log.ts";
import { writesThroughPrimary } from "./line-writer.ts";
import type { ToPrimary, ToWorker, WorkerStart } from "./messages.ts";
import { openPeerDoor, type PeerDoor } from "./peer-door.ts";
import { createRemoteBook } from "./remote-book.ts";

/** The parts of one worker. */
export interface WorkerEdge {
  /** Begins to serve, and tells the primary. @throws EdgeError */
  start(): Promise<void>;
  /** Takes a message of the primary. @returns the answer, if it is a question */
  handle(message: ToWorker): unknown;
  /** The process ends now: leaves no files behind. */
  cleanUp(): void;
}

// How old may be what one process knows of a busy visitor's connections to another.
const VISITORS_EVERY_MS = 250;

/** Builds the parts; nothing listens yet. @throws EdgeError */
export async function createWorkerEdge(
  { worker, config, folder, secret, ...given }: WorkerStart,
  channel: Pick<Channel<ToPrimary>, "tell" | "ask">,
): Promise<WorkerEdge> {
  const log = createFarLog(channel, config.log.level);
  const users = createUsersReplica(given.users);
  const accessLog = createAccessLog({
    ...config.accessLog,
    log,
    ...(writesThroughPrimary(config.accessLog) && {
      sink: createFarSink(channel),
    }),
  });
  const metrics = createEdgeMetrics({ worker: true });
  const bound: ListenAddress[] = [];
  const urls = createUrls(config, bound);
  const replica = createRouteReplica({
    domains: config.domain,
    defaultName: config.defaultName,
  });
  const doorOf = (number: number): string => join(folder, `${number}.sock`);
  const book = createRemoteBook({
    worker,
    channel,
    replica,
    direct: createDirectForwards({
      maxConnectionsPerSession: Math.ceil(
        defaultLimits.maxConnectionsPerSession / config.workers,
      ),
    }),
    doorOf,
    secret,
    warm: (tunnel) => http.warm(tunnel),
  });
  const control = createControl({
    table: book,
    urlPattern: urls.pattern,
    formatTarget: accessLog.formatTarget,
    onOpened: (tunnel) =>
      channel.tell({ t: "warm", tunnel: book.numberOf(tunnel) }),
    log,
  });
  const observers: (RequestObserver | undefined)[] = [
    metrics.observe,
    control.observe,
    createFarFeed({ named: replica.named, book, channel }),
    accessLog.observe,
  ];
  /** Connections of visitors, and of identities, in the other workers. */
  let visitorsElsewhere: ReadonlyMap<string, number> = new Map();
  const loginsElsewhere = new Map(given.logins);
  const visitors = createVisitors(config, {
    router: replica,
    observer: observeAll(observers, log),
    bound,
    log,
    visitorsElsewhere: (key) => visitorsElsewhere.get(key) ?? 0,
  });
  const { http } = visitors;
  const embedded = await createEmbeddedIngresses(config, {
    findIdentity: (blob) => users.findByKey(blob),
    handlers: control,
    formatTarget: accessLog.formatTarget,
    log,
    logins: {
      elsewhere: (key) => loginsElsewhere.get(key) ?? 0,
      changed: (key, count) => channel.tell({ t: "logins", key, count }),
    },
  });
  metrics.watch({
    ...visitors.figures,
    sessions: () => control.sessionCounts,
    accessLog: () => accessLog.counters,
  });
  let door: PeerDoor | undefined;
  let timer: NodeJS.Timeout | undefined;
  let toldOfVisitors = false;

  async function start(): Promise<void> {
    for (const route of given.routes) book.apply(route);
    door = await openPeerDoor({
      path: doorOf(worker),
      secret,
      find: book.forward,
    });
    await visitors.listen();
    for (const ingress of embedded) await ingress.start();
    timer = setInterval(tellOfVisitors, VISITORS_EVERY_MS).unref();
    const ssh = embedded.map((ingress) => ingress.address());
    channel.tell({ t: "ready", http: bound, ssh });
  }

  // Those who have so few here that they have not too many altogether are of no interest.
  function tellOfVisitors(): void {
    const few = config.limits.connectionsPerVisitor / (8 * config.workers);
    const counts = http.busyVisitors(few);
    if (counts.length > 0 || toldOfVisitors)
      channel.tell({ t: "visitors", counts });
    toldOfVisitors = counts.length > 0;
  }

  async function drain(deadlineMs: number): Promise<void> {
    for (const ingress of embedded) ingress.stopAccepting();
    control.announceDrain();
    await http.close({ deadlineMs });
  }

  async function stop(): Promise<void> {
    clearInterval(timer);
    void http.close({ deadlineMs: 0 });
    await Promise.all(embedded.map((ingress) => ingress.close()));
    door?.close();
    replica.dispose();
    await accessLog.close();
  }

  return {
    start,
    cleanUp: () => door?.cleanUp(),
    handle(message) {
      switch (message.t) {
        case "route":
          return book.apply(message.route);
        case "users":
          users.replace(message.users);
          for (const ingress of embedded) ingress.recheck();
          return undefined;
        case "superseded":
          return book.superseded(message.tunnel);
        case "records":
          for (const { record } of message.records) control.observe(record);
          return undefined;
        case "logins":
          return void loginsElsewhere.set(message.key, message.elsewhere);
        case "visitors":
          visitorsElsewhere = new Map(message.elsewhere);
          return undefined;
        case "figures":
          return metrics.figures();
        case "reopen":
          return accessLog.reopen();
        case "drain":
          return drain(message.deadlineMs);
        case "stop":
          return stop();
        default:
          throw new Error(`Unexpected: ${message.t}`);
      }
    },
  };
}
