// The composition root of the edge: begins with one process or several, and ends them in order.
import type { EdgeConfig } from "./config/schema.ts";
import { formatListen } from "./config/values.ts";
import type { Readiness } from "./metrics/admin.ts";
import type { EdgeAddresses, RunningEdge } from "./parts/running-edge.ts";
import { createSingleEdge } from "./parts/single.ts";
import { createLog, type Log } from "./util/log.ts";
import { createPrimaryEdge } from "./workers/primary.ts";

export type { EdgeAddresses } from "./parts/running-edge.ts";

/** One edge. */
export interface Edge {
  /**
   * Starts everything. When a part fails, those before it are closed again.
   *
   * @throws EdgeError
   * @throws Error when it was closed meanwhile; nothing is open then
   */
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

/**
 * Builds an edge; nothing is opened before start(). With more than one of `workers` the process has node:cluster for
 * itself alone.
 */
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
  #running: RunningEdge | undefined;
  #starting: Promise<void> | undefined;
  #readiness: Readiness = "starting";
  #closing = false;

  constructor(config: EdgeConfig, log: Log) {
    this.#config = config;
    this.#log = log;
  }

  start(): Promise<void> {
    return (this.#starting ??= this.#start());
  }

  async close(deadlineMs = this.#config.timeouts.shutdown): Promise<void> {
    this.#readiness = "draining";
    this.#closing = true;
    // What is being opened can be closed when it is open.
    await this.#starting?.catch(() => {});
    await this.#running?.close(deadlineMs);
  }

  reopenLogs(): void {
    this.#running?.reopenLogs();
  }

  async reloadUsers(): Promise<void> {
    await this.#running?.reloadUsers();
  }

  get addresses(): EdgeAddresses {
    if (!this.#running) throw new Error("The edge was not started.");
    return this.#running.addresses;
  }

  async #start(): Promise<void> {
    const context = { log: this.#log, readiness: () => this.#readiness };
    const create =
      this.#config.workers > 1 ? createPrimaryEdge : createSingleEdge;
    const running = await create(this.#config, context);
    this.#running = running;
    try {
      if (!this.#closing) await running.start();
    } catch (error) {
      await running.close(0);
      throw error;
    }
    if (this.#closing) throw new Error("The edge was closed as it started.");
    this.#readiness = "ready";
    const { http, ssh, admin } = running.addresses;
    this.#log.info("ready", {
      http: http.map(formatListen).join(" "),
      ssh: ssh.map(formatListen).join(" ") || undefined,
      admin: admin && formatListen(admin),
      urls: running.urlPattern(),
    });
  }
}
