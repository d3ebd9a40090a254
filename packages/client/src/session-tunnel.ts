// A tunnel of a session: keeps its name and its local service while links to the edge come and go.
import { EventEmitter } from "node:events";
import type { Duplex } from "node:stream";
import {
  formatUpstreamSpec,
  type EdgeMessage,
  type ExchangeSummary,
} from "@expose/protocol";
import type { ExposeError } from "./errors.ts";
import { createEventRate } from "./event-rate.ts";
import { createRequestJoin } from "./inspect/webhooks/join-requests.ts";
import { createUpstream, type Upstream } from "./local/upstream.ts";
import type { TunnelOptions } from "./options.ts";
import { leadsToOwnInspector } from "./own-inspector.ts";
import type { SessionInspection } from "./session-inspection.ts";
import { resolveUpstreamSpec } from "./resolve-upstream.ts";
import type { ControlLink, LinkTunnel } from "./ssh/control-link.ts";
import type { SessionState, Tunnel, TunnelEvents } from "./tunnel.ts";

/** What a tunnel needs to know of its session. */
export interface TunnelHost {
  readonly state: SessionState;
  readonly latencyMs: number | undefined;
  readonly inspectorUrl?: string | undefined;
  /** Looks on at the tunnel's connections; absent without an inspector. */
  readonly inspection?: SessionInspection | undefined;
  /** Forgets a tunnel that its owner closes. */
  release(tunnel: SessionTunnel): void;
}

// The edge tells of 500 a second. One that means harm could keep us busy with telling, and the local service waiting.
const MAX_REQUESTS_PER_SECOND = 2_000;

/** See the file's head; whoever holds a Tunnel holds one of these. */
export class SessionTunnel
  extends EventEmitter<TunnelEvents>
  implements Tunnel
{
  readonly id: number;
  readonly upstream: string;
  readonly closed: Promise<void>;
  readonly #options: TunnelOptions;
  readonly #host: TunnelHost;
  readonly #local: Upstream;
  readonly #rate = createEventRate(MAX_REQUESTS_PER_SECOND);
  readonly #requests = createRequestJoin(
    (info) => this.#tell("request", info),
    () => this.#host.inspection?.explains ?? false,
  );
  #given: LinkTunnel | undefined;
  #link: ControlLink | undefined;
  #settleClosed!: (error: ExposeError | undefined) => void;
  #finishing: Promise<void> | undefined;

  /**
   * @param id its number in the messages of this session
   * @throws ExposeError `upstream-invalid`
   */
  constructor(id: number, options: TunnelOptions, host: TunnelHost) {
    super();
    this.id = id;
    this.#options = options;
    this.#host = host;
    const spec = resolveUpstreamSpec(options);
    this.upstream = formatUpstreamSpec(spec);
    this.#local = createUpstream(spec, {
      ca: options.upstreamCa,
      onHint: (hint) => this.#tell("hint", hint),
      publicUrl: () => this.url,
      isForbidden: leadsToOwnInspector,
      tap: host.inspection && (() => host.inspection!.connect(this)),
    });
    this.#local.onStateChange((state, reason) => {
      this.#link?.reportUpstream(this.id, state, reason);
      this.#tell("upstream", { state, reason });
    });
    this.closed = new Promise((resolve, reject) => {
      this.#settleClosed = (error) => (error ? reject(error) : resolve());
    });
    // Whoever does not look at `closed` hears of the error by the event; it is no unhandled rejection.
    this.closed.catch(() => {});
  }

  get url(): string {
    return this.#given?.url ?? "";
  }
  get name(): string {
    return this.#given?.name ?? "";
  }
  get state(): SessionState {
    return this.#finishing ? "closed" : this.#host.state;
  }
  get openConnections(): number {
    return this.#local.openConnections;
  }
  get latencyMs(): number | undefined {
    return this.#host.latencyMs;
  }
  get inspectorUrl(): string | undefined {
    return this.#host.inspectorUrl;
  }

  /** Connects to the local service for something other than a visitor. */
  dial(signal: AbortSignal): Promise<Duplex> {
    return this.#local.dial(signal);
  }

  /** Opens the tunnel on a link: for the first time, or again under the same name. @throws ExposeError as open() */
  async attach(link: ControlLink): Promise<void> {
    const given = await link.open({
      id: this.id,
      name: this.#given?.name ?? this.#options.name,
      resume: this.#given?.resume,
      hostHeader: this.#options.hostHeader,
      upstream: this.upstream.slice(0, 260),
      serve: (channel, pressure) => this.#local.serve(channel, pressure),
    });
    // Its owner has closed it meanwhile, and there was no link to say so on.
    if (this.#finishing) return link.closeTunnel(this.id, given.port);
    this.#given = given;
    this.#link = link;
    if (this.#local.downReason !== undefined)
      link.reportUpstream(this.id, "down", this.#local.downReason);
  }

  /** The link is gone; another one may come. */
  detach(): void {
    this.#link = undefined;
  }

  /** Tells of a finished request, unless there are too many to tell of. */
  report(message: EdgeMessage & { t: "request" }): void {
    const left = this.#rate.leftOut(message.dropped ?? 0);
    if (left === undefined) return;
    this.#requests.request({
      method: message.method,
      path: message.path,
      status: message.status,
      durationMs: message.ms,
      visitor: message.visitor,
      bytesIn: message.bytesIn,
      bytesOut: message.bytesOut,
      error: message.error,
      dropped: left,
    });
  }

  /** The inspector knows what webhook one of the requests is. */
  explained(summary: ExchangeSummary): void {
    this.#requests.webhook(summary);
  }

  // We are called from within ssh2, which would take what a listener throws for a fault of the server's and end the
  // connection. It is its owner's bug, and goes where those of all event listeners go.
  #tell<Name extends keyof TunnelEvents>(
    name: Name,
    ...info: TunnelEvents[Name]
  ): void {
    try {
      // The compiler does not follow that the arguments belong to the name.
      (this as EventEmitter).emit(name, ...info);
    } catch (error) {
      process.nextTick(() => {
        throw error;
      });
    }
  }

  async close(): Promise<void> {
    this.#host.release(this);
    await this.finish(undefined);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** Ends the tunnel for whatever reason. Idempotent; the first reason counts. */
  finish(error: ExposeError | undefined): Promise<void> {
    this.#finishing ??= this.#finishOnce(error);
    return this.#finishing;
  }

  async #finishOnce(error: ExposeError | undefined): Promise<void> {
    if (this.#given) this.#link?.closeTunnel(this.id, this.#given.port);
    this.#link = undefined;
    await this.#local.close();
    this.#requests.flush();
    this.emit("closed", { error });
    this.#settleClosed(error);
  }
}
