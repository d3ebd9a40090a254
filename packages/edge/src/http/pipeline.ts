// The phases of a request, always in this order:
//
//   route     which host it is for, how long its body is, which tunnel serves it; waits for a client that is away
//   policy    what the tunnel's owner wants changed (policy/)
//   headers   the head that goes to the upstream
//   upstream  the connection through the tunnel, the body, the answer (proxy.ts, or upgrade.ts for WebSockets)
//   log       the observer hears of it, whichever phase was the last (visit.ts)
//
// Each decides once, on what the one before it has decided, and nobody looks at the raw request again.
import type { Socket } from "node:net";
import type { Tunnel } from "../routes/tunnel.ts";
import { decideForwarded, type Forwarded } from "./forwarded.ts";
import { decideFraming } from "./framing.ts";
import { buildRequestHead } from "./headers.ts";
import { resolveTarget, type Target } from "./host.ts";
import { Relay } from "./proxy.ts";
import type { Refusal } from "./refusal.ts";
import { readRequestHead, type RequestHead } from "./request-head.ts";
import { LiveUpgrade, refuseUpgrade } from "./live-upgrade.ts";
import type { Visit } from "./visit.ts";

/** What the route phase has decided about a request. */
interface Routed {
  readonly head: RequestHead;
  readonly target: Target;
  readonly framing: number;
  readonly forwarded: Forwarded;
}

/** What is left to do once a request has its tunnel. */
type UpstreamPhase = (visit: Visit, routed: Routed, tunnel: Tunnel) => void;

/** Serves a plain request. */
export function serveRequest(visit: Visit): void {
  try {
    route(visit, serveFromUpstream);
  } catch (error) {
    failed(visit, error);
  }
}

/** Serves a WebSocket upgrade. @param head bytes that came behind the request already */
export function serveUpgrade(visit: Visit, socket: Socket, head: Buffer): void {
  guarded(visit, () =>
    route(visit, (_, routed, tunnel) => {
      const refusal = refuseUpgrade(visit, routed.head, routed.framing);
      if (refusal) visit.answer(refusal);
      else if (enter(visit, tunnel))
        new LiveUpgrade(
          visit,
          socket,
          head,
          routed.target.path,
          requestHead(visit, routed, false, true),
        ).start();
    }),
  );
}

// Phase "route".
function route(visit: Visit, next: UpstreamPhase): void {
  const routed = examine(visit);
  if ("code" in routed) {
    visit.connection.stopServing();
    return visit.answer(routed);
  }
  findTunnel(visit, routed, next);
}

function examine(visit: Visit): Routed | Refusal {
  const { request, connection, engine } = visit;
  const head = readRequestHead(request.rawHeaders);
  const forwarded = decideForwarded(
    head,
    head.host,
    connection,
    engine.proxies,
    engine.address,
  );
  visit.visitor = forwarded.visitor;
  if (request.rawHeaders.length > engine.limits.headerFields * 2)
    return { code: "headers-too-large" };
  // Node's parser also reads HTTP/0.9, with a head or without one, and what calls itself HTTP/2.0.
  if (request.httpVersion !== "1.1" && request.httpVersion !== "1.0")
    return {
      code: "request-invalid",
      status: 505,
      detail: "The only versions of HTTP served here are 1.0 and 1.1.",
    };
  const minor = request.httpVersionMinor;
  const framing = decideFraming(head, minor);
  if (typeof framing !== "number") return framing;
  const target = resolveTarget(request.method ?? "", request.url ?? "", head);
  if ("code" in target) return target;
  visit.hostname = target.hostname;
  if (minor === 1 && head.expect !== undefined && !isContinue(head.expect))
    return {
      code: "request-invalid",
      status: 417,
      detail: "The only expectation that can be met is 100-continue.",
    };
  return { head, target, framing, forwarded };
}

function findTunnel(visit: Visit, routed: Routed, next: UpstreamPhase): void {
  const found = visit.engine.router.find(routed.target.hostname);
  visit.routedAt = visit.engine.clock();
  switch (found.kind) {
    case "tunnel":
      return next(visit, routed, found.tunnel);
    case "unknown":
      return visit.answer({ code: "tunnel-unknown" });
    case "foreign":
      return visit.answer({ code: "host-unknown" });
    case "away":
      return awaitClient(visit, found, (tunnel) => {
        visit.routedAt = visit.engine.clock();
        next(visit, routed, tunnel);
      });
  }
}

function awaitClient(
  visit: Visit,
  away: {
    back(waitMs: number): Promise<Tunnel | undefined>;
    readonly retryAfterS: number;
  },
  serve: (tunnel: Tunnel) => void,
): void {
  const { engine } = visit;
  if (engine.draining)
    return visit.answer({ code: "edge-draining", retryAfterS: 1 });
  away.back(engine.timeouts.awayWaitMs).then(
    (tunnel) =>
      guarded(visit, () => {
        if (visit.over) return;
        if (tunnel) serve(tunnel);
        else
          visit.answer({
            code: "tunnel-away",
            retryAfterS: away.retryAfterS,
          });
      }),
    (error: unknown) => failed(visit, error),
  );
}

// Phases "policy" (decided once per tunnel, see tunnel-state.ts) and "headers", then "upstream".
function serveFromUpstream(visit: Visit, routed: Routed, tunnel: Tunnel): void {
  if (!enter(visit, tunnel)) return;
  const { framing } = routed;
  const expectContinue =
    visit.awaitsContinue &&
    framing !== 0 &&
    visit.request.httpVersionMinor === 1;
  new Relay(
    visit,
    requestHead(visit, routed, expectContinue, false),
    framing,
    expectContinue,
    () =>
      guarded(visit, () => {
        if (!visit.over) findTunnel(visit, routed, serveFromUpstream);
      }),
  ).start();
}

function requestHead(
  visit: Visit,
  routed: Routed,
  expectContinue: boolean,
  upgrade: boolean,
): string {
  const { request, connection } = visit;
  return buildRequestHead({
    method: request.method ?? "",
    path: routed.target.path,
    rawHeaders: request.rawHeaders,
    nominated: routed.head.nominated,
    framing: routed.framing,
    expectContinue,
    upgrade,
    trusted: connection.trusted,
    change: visit.tunnel!.change,
    forwardedLines: routed.forwarded.lines,
  });
}

function enter(visit: Visit, tunnel: Tunnel): boolean {
  const { engine } = visit;
  const state = engine.tunnels.of(tunnel);
  if (visit.enterTunnel(state)) return true;
  visit.answer({ code: "tunnel-busy", retryAfterS: 1 });
  return false;
}

// Nothing that goes wrong in one request may end the process, and with it everybody's tunnels.
function guarded(visit: Visit, phase: () => void): void {
  try {
    phase();
  } catch (error) {
    failed(visit, error);
  }
}

function failed(visit: Visit, error: unknown): void {
  visit.engine.onBug(error);
  try {
    visit.task?.abort();
    visit.answer({ code: "edge-error" });
  } catch (second) {
    visit.engine.onBug(second);
    visit.connection.destroy();
  }
}

const isContinue = (value: string): boolean =>
  value.trim().toLowerCase() === "100-continue";
