// The phase "log": tells the observer about a request that is over.
import type { RequestRecord } from "../access-log/record.ts";
import type { Engine } from "./engine.ts";
import { statusOf } from "./error-page.ts";
import type { Refusal } from "./refusal.ts";

/** Tells about a request. An observer that fails must not keep a connection from its next one. */
export function tell(engine: Engine, record: RequestRecord): void {
  try {
    engine.observer(record);
  } catch (error) {
    engine.onBug(error);
  }
}

/** Tells about a request that could not be read. */
export function tellUnread(
  engine: Engine,
  visitor: string,
  refusal: Refusal,
): void {
  tell(engine, {
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
