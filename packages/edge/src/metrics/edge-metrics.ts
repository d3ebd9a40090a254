// The figures of an edge: what its requests, tunnels and sessions, its users file, its logs and its process are doing.
import { readdirSync } from "node:fs";
import { PRODUCT_VERSION, visitorErrorCodes } from "@expose/protocol";
import type { AccessLogCounters } from "../access-log/access-log.ts";
import type { RequestObserver } from "../access-log/record.ts";
import type { UsersCounters } from "../registry/users-store.ts";
import {
  createMetrics,
  type Figure,
  type Metrics,
  type Readings,
} from "./metrics.ts";

/** Where figures come from that others keep. Absent: those are not shown. */
export interface EdgeMetricsSources {
  readonly tunnels?: () => { readonly open: number; readonly away: number };
  /** By ingress. */
  readonly sessions?: () => Readonly<Record<string, number>>;
  /** Connections of visitors that are open. */
  readonly visitorConnections?: () => number;
  /** Connections of visitors that were turned away because of a limit. */
  readonly refusedConnections?: () => number;
  readonly requestsInFlight?: () => number;
  readonly upgradesOpen?: () => number;
  readonly users?: () => UsersCounters;
  readonly accessLog?: () => AccessLogCounters;
  /** Of an edge with several processes. */
  readonly workers?: () => WorkersCounters;
}

/** The processes of an edge that has several. */
export interface WorkersCounters {
  /** Those that serve. */
  readonly ready: number;
  /** Those that took the place of one that died. */
  readonly restarts: number;
  /** Visitors' connections, by worker. */
  readonly connections: Readonly<Record<string, number>>;
}

/** The metrics of one edge. */
export interface EdgeMetrics {
  /** Counts each finished request. */
  readonly observe: RequestObserver;
  /** Adds what others count. Each source once. */
  watch(sources: EdgeMetricsSources): void;
  /** All as they are now. */
  figures(): Figure[];
}

// From a local page to a slow report; upgraded connections, which last for hours, are not in it.
const SECONDS = [
  0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60,
];

const STATUS_CLASSES = ["none", "1xx", "2xx", "3xx", "4xx", "5xx"] as const;

/**
 * Builds the metrics of one edge, or of one process of it.
 *
 * @param options.worker whether another process shows them together with its own: then what cannot be added up is left out
 */
export function createEdgeMetrics(
  options: { readonly worker?: boolean } = {},
): EdgeMetrics {
  const metrics = createMetrics();
  if (!options.worker) addProgram(metrics);
  addProcess(metrics);
  const requests = metrics.counter(
    "expose_requests_total",
    "Finished requests by class of status; none: the visitor left before the answer.",
    { name: "status", values: STATUS_CLASSES },
  );
  const errors = metrics.counter(
    "expose_request_errors_total",
    "Requests that the edge answered or cut off itself, by error code.",
    { name: "code", values: Object.keys(visitorErrorCodes) },
  );
  const duration = metrics.histogram(
    "expose_request_duration_seconds",
    "From the head of a request to the end of the answer.",
    SECONDS,
  );
  const firstByte = metrics.histogram(
    "expose_request_first_byte_seconds",
    "From the head of a request to the first byte of the answer.",
    SECONDS,
  );
  const bytes = metrics.counter(
    "expose_body_bytes_total",
    "Bytes of bodies from visitors (in) and to them (out), upgraded connections included.",
    { name: "direction", values: ["in", "out"] },
  );
  const upgrades = metrics.counter(
    "expose_upgrades_total",
    "Upgraded connections that have ended.",
  );
  const retries = metrics.counter(
    "expose_request_retries_total",
    "Requests that needed a second connection.",
  );

  return {
    observe(record) {
      requests.add(
        1,
        STATUS_CLASSES[Math.floor(record.status / 100)] ?? "none",
      );
      if (record.error) errors.add(1, record.error);
      if (record.upgraded) upgrades.add();
      else duration.observe(record.totalMs / 1_000);
      if (record.firstByteMs !== undefined)
        firstByte.observe(record.firstByteMs / 1_000);
      bytes.add(record.bytesIn, "in");
      bytes.add(record.bytesOut, "out");
      if (record.retried) retries.add();
    },
    watch: (sources) => addSources(metrics, sources),
    figures: () => metrics.figures(),
  };
}

function addSources(metrics: Metrics, sources: EdgeMetricsSources): void {
  const gauge = (
    name: string,
    help: string,
    read: (() => Readings) | undefined,
    label?: string,
  ): void => {
    if (read) metrics.read("gauge", name, help, read, label);
  };
  const counter = (
    name: string,
    help: string,
    read: () => Readings,
    label?: string,
  ): void => metrics.read("counter", name, help, read, label);
  const { tunnels, users, accessLog, refusedConnections } = sources;

  gauge(
    "expose_tunnels",
    "Tunnels, and names kept for clients that are away.",
    tunnels && (() => ({ ...tunnels() })),
    "state",
  );
  gauge(
    "expose_sessions",
    "SSH sessions that have logged in.",
    sources.sessions,
    "ingress",
  );
  gauge(
    "expose_visitor_connections",
    "Open connections of visitors.",
    sources.visitorConnections,
  );
  gauge(
    "expose_requests_in_flight",
    "Requests that have not finished.",
    sources.requestsInFlight,
  );
  gauge(
    "expose_upgrades_open",
    "Upgraded connections that are open.",
    sources.upgradesOpen,
  );
  if (refusedConnections)
    counter(
      "expose_visitor_connections_refused_total",
      "Connections of visitors turned away because of a limit.",
      refusedConnections,
    );
  if (users) {
    gauge(
      "expose_identities",
      "Identities in the users file.",
      () => users().identities,
    );
    gauge("expose_keys", "Keys in the users file.", () => users().keys);
    counter(
      "expose_users_reloads_total",
      "Changes of the users file that were taken over, and those that were refused.",
      () => ({ loaded: users().reloads, refused: users().rejections }),
      "result",
    );
  }
  const { workers } = sources;
  if (workers) {
    gauge(
      "expose_workers",
      "Processes that serve visitors.",
      () => workers().ready,
    );
    gauge(
      "expose_worker_connections",
      "Open connections of visitors, by worker.",
      () => workers().connections,
      "worker",
    );
    counter(
      "expose_worker_restarts_total",
      "Processes that were started in place of one that had died.",
      () => workers().restarts,
    );
  }
  if (accessLog) {
    counter(
      "expose_access_log_records_total",
      "Records that were written, and those that were lost.",
      () => ({ written: accessLog().written, dropped: accessLog().dropped }),
      "result",
    );
    counter(
      "expose_access_log_write_errors_total",
      "Writes of the access log that failed.",
      () => accessLog().writeErrors,
    );
  }
}

function addProgram(metrics: Metrics): void {
  metrics.read(
    "gauge",
    "expose_build_info",
    "Version of the edge.",
    () => ({ [PRODUCT_VERSION]: 1 }),
    "version",
  );
  metrics.read(
    "gauge",
    "process_start_time_seconds",
    "When the edge started, since 1970.",
    () => Math.round(Date.now() / 1_000 - process.uptime()),
  );
}

// With several processes, these are sums over all of them.
function addProcess(metrics: Metrics): void {
  metrics.read(
    "counter",
    "process_cpu_seconds_total",
    "Processor time of the edge.",
    () => {
      const { user, system } = process.cpuUsage();
      return (user + system) / 1e6;
    },
  );
  metrics.read(
    "gauge",
    "process_resident_memory_bytes",
    "Memory of the edge.",
    () => process.memoryUsage.rss(),
  );
  metrics.read(
    "gauge",
    "process_open_fds",
    "Open descriptors of the edge (Linux).",
    () => readdirSync("/proc/self/fd").length,
  );
  metrics.read(
    "counter",
    "nodejs_eventloop_active_seconds_total",
    "Time for which the event loop was busy; near one second a second (for each of expose_workers) it is overloaded.",
    () => performance.eventLoopUtilization().active / 1_000,
  );
}
