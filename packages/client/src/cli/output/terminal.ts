// The live status of a terminal: keeps what is known, and draws it when it has changed.
import type { Tunnel } from "../../tunnel.ts";
import { escapeForTerminal } from "./escape.ts";
import { createLiveRegion, type Screen } from "./live-region.ts";
import type { Output, SessionView } from "./output.ts";
import { explainUselessQr, renderQr } from "./qr.ts";
import {
  MAX_REQUEST_LINES,
  renderStatus,
  type Status,
  type StatusTunnel,
} from "./status.ts";
import { createStyle } from "./style.ts";

/** A screen that says when it changes. Each `on…` gives back how to stop. */
export interface LiveScreen extends Screen {
  onResize(callback: () => void): () => void;
  /** `suspend` is awaited before the process stops (Ctrl-Z), `resume` runs when it goes on. */
  onSuspend(suspend: () => Promise<void>, resume: () => void): () => void;
}

// Fast enough to feel live, slow enough that a thousand requests a second cost nothing.
const FRAME_MS = 80;
// Latency, open connections and the countdown of a reconnect change without an event.
const REFRESH_MS = 1_000;

/** Takes over the screen at ready() and gives it back at end(). */
export function createTerminalOutput(screen: LiveScreen): Output {
  const style = createStyle(true);
  const region = createLiveRegion(screen);
  const requests: {
    at: Date;
    request: Status["requests"][number]["request"];
  }[] = [];
  const states = new Map<
    Tunnel,
    Pick<StatusTunnel, "downReason" | "closedReason">
  >();
  let session: SessionView | undefined;
  let inspectorUrl: string | undefined;
  let requestCount = 0;
  let retry: { attempt: number; at: number; reason: string } | undefined;
  let frameTimer: NodeJS.Timeout | undefined;
  let refreshTimer: NodeJS.Timeout | undefined;
  let stopListening: (() => void)[] = [];

  function render(): string[] {
    if (!session) return [];
    const { ingress, edgeVersion } = session;
    const behind = [ingress, edgeVersion].filter((part) => part !== undefined);
    const status: Status = {
      server: session.server,
      identity: session.identity,
      behind: behind.length > 0 ? behind.join(", ") : undefined,
      state: session.state,
      retry: retry && {
        attempt: retry.attempt,
        inMs: retry.at - performance.now(),
        reason: retry.reason,
      },
      latencyMs: session.latencyMs,
      inspectorUrl,
      tunnels: [...states].map(([tunnel, state]) => ({
        url: tunnel.url,
        upstream: tunnel.upstream,
        openConnections: tunnel.openConnections,
        ...state,
      })),
      requestCount,
      requests,
    };
    return renderStatus(status, screen, style);
  }

  function draw(): void {
    clearTimeout(frameTimer);
    frameTimer = undefined;
    if (session) region.draw(render());
  }

  function changed(): void {
    if (!session || frameTimer) return;
    frameTimer = setTimeout(draw, FRAME_MS);
    frameTimer.unref();
  }

  function stop(): void {
    clearTimeout(frameTimer);
    clearInterval(refreshTimer);
    for (const stopOne of stopListening) stopOne();
    stopListening = [];
  }

  function print(text: string): void {
    region.print(text.split("\n").map(escapeForTerminal));
  }

  return {
    ready(openedSession, tunnels) {
      session = openedSession;
      for (const tunnel of tunnels) states.set(tunnel, {});
      refreshTimer = setInterval(changed, REFRESH_MS);
      refreshTimer.unref();
      stopListening = [
        screen.onResize(() => {
          region.resized();
          draw();
        }),
        screen.onSuspend(() => region.clear(), draw),
      ];
      draw();
    },
    inspecting(url) {
      inspectorUrl = url;
      changed();
    },
    request(_tunnel, request) {
      requestCount += 1 + request.dropped;
      requests.push({ at: new Date(), request });
      if (requests.length > MAX_REQUEST_LINES) requests.shift();
      changed();
    },
    hint(_tunnel, { message, fix }) {
      print(`Hint: ${message}\n      ${fix}`);
    },
    reconnecting(_tunnel, { attempt, delayMs, error }) {
      retry = {
        attempt,
        at: performance.now() + delayMs,
        reason: error.message,
      };
      changed();
    },
    reconnected() {
      retry = undefined;
      changed();
    },
    upstream(tunnel, { state, reason }) {
      states.set(tunnel, {
        downReason: state === "down" ? (reason ?? "no answer") : undefined,
      });
      changed();
    },
    closed(tunnel, error) {
      if (states.has(tunnel))
        states.set(tunnel, { closedReason: error?.message ?? "as asked" });
      changed();
    },
    notice: print,
    qr(url) {
      const useless = explainUselessQr(url);
      if (useless) print(useless);
      else region.print(renderQr(url, true));
    },
    async end() {
      stop();
      await region.end(render());
    },
    endNow() {
      stop();
      region.endNow(render());
    },
  };
}
