// What the page knows of the client: its tunnels, its history, and whether it can be reached.
import type { InspectorStatus } from "@expose/protocol";
import { call } from "../api/call.ts";
import { followEvents } from "../api/follow-events.ts";
import { statusPath } from "../api/paths.ts";
import { Observable } from "../ui/observable.ts";
import type { Exchanges } from "./exchanges.ts";

export interface SessionState {
  readonly connection: "connecting" | "open" | "lost";
  readonly status: InspectorStatus | undefined;
  /** Whether the client is of another version than when the page was loaded. */
  readonly outdated: boolean;
}

/** Follows the client. One for the page. */
export class Session {
  readonly state = new Observable<SessionState>({
    connection: "connecting",
    status: undefined,
    outdated: false,
  });
  readonly #exchanges: Exchanges;

  constructor(exchanges: Exchanges) {
    this.#exchanges = exchanges;
  }

  /** For the life of the page. */
  start(): void {
    followEvents({
      opened: () => {
        this.state.update({ connection: "open" });
        // Also the first time: what came before the stream was open is in neither.
        void this.#exchanges.reload();
        void this.#readStatus();
      },
      lost: () => this.state.update({ connection: "lost" }),
      exchange: (summary) => this.#exchanges.apply(summary),
      missed: () => {
        this.#exchanges.applyMissed();
        // Its count is the one that is shown: a slow page misses events of what was captured all the same.
        void this.#readStatus();
      },
      cleared: () => this.#exchanges.applyCleared(),
      status: (status) => this.#apply(status),
    });
  }

  async #readStatus(): Promise<void> {
    try {
      this.#apply(await call<InspectorStatus>(statusPath));
    } catch {
      // The event stream tells when the client is gone, and then this is asked again.
    }
  }

  #apply(status: InspectorStatus): void {
    const known = this.state.value.status?.version;
    this.state.update({
      status,
      outdated:
        this.state.value.outdated ||
        (known !== undefined && known !== status.version),
    });
  }
}
