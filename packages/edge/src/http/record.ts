// The phase "log": tells the observer about a request that is over.
import type { RequestRecord } from "../access-log/record.ts";
import type { Engine } from "./engine.ts";
import { statusOf } from "./error-page.ts";
import type { Refusal } from "./refusal.ts";
import type { Visit } from "./visit.ts";

/** Tells about a visit. */
export function tell(visit: Visit): void {
  const { request, start } = visit;
  const tunnel = visit.tunnel?.tunnel;
  observe(visit.engine, {
    startedAt: visit.startedAt,
    tunnel: tunnel?.name,
    identity: tunnel?.identityId,
    visitor: visit.visitor,
    method: request.method ?? "",
    target: request.url ?? "",
    host: visit.hostname,
    httpVersion: request.httpVersion,
    rawHeaders: request.rawHeaders,
    status: visit.status,
    error: visit.error,
    upgraded: visit.upgraded,
    routeMs: visit.routedAt === 0 ? 0 : visit.routedAt - start,
    connectMs: visit.connectedAt === 0 ? undefined : visit.connectedAt - start,
    firstByteMs:
      visit.firstByteAt === 0 ? undefined : visit.firstByteAt - start,
    totalMs: visit.engine.clock() - start,
    bytesIn: visit.bytesIn,
    bytesOut: visit.bytesOut,
    retried: visit.retried,
  });
}

/** Tells about a request that could not be read. */
export function tellUnread(
  engine: Engine,
  visitor: string,
  refusal: Refusal,
): void {
  observe(engine, {
    startedAt: engine.now(),
    tunnel: undefined,
    identity: undefined,
    visitor,
    method: "",
    target: "",
    host: "",
    httpVersion: "",
    rawHeaders: [],
    status: statusOf(refusal),
    error: refusal.code,
    upgraded: false,
    routeMs: 0,
    connectMs: undefined,
    firstByteMs: undefined,
    totalMs: 0,
    bytesIn: 0,
    bytesOut: 0,
    retried: false,
  });
}

// An observer that fails must not keep a connection from its next request.
function observe(engine: Engine, record: RequestRecord): void {
  try {
    engine.observer(record);
  } catch (error) {
    engine.onBug(error);
  }
}
