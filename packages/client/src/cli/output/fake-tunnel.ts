// A tunnel for tests of outputs: it shows what it is told and emits what the test wants.
import { EventEmitter } from "node:events";
import type { RequestInfo, Tunnel, TunnelEvents } from "../../tunnel.ts";

/** A tunnel that leads nowhere; `fields` replace the defaults. */
export function fakeTunnel(fields: Partial<Tunnel> = {}): Tunnel {
  const emitter = new EventEmitter<TunnelEvents>();
  return Object.assign(emitter, {
    url: "https://shop.tunnel.example.com",
    name: "shop",
    upstream: "localhost:8080",
    state: "online" as const,
    openConnections: 0,
    latencyMs: 23,
    inspectorUrl: undefined,
    close: () => Promise.resolve(),
    closed: Promise.resolve(),
    [Symbol.asyncDispose]: () => Promise.resolve(),
    ...fields,
  });
}

/** A request that went well; `fields` replace the defaults. */
export function fakeRequest(fields: Partial<RequestInfo> = {}): RequestInfo {
  return {
    method: "GET",
    path: "/api/users",
    status: 200,
    durationMs: 12.3456,
    visitor: "203.0.113.5",
    bytesIn: 100,
    bytesOut: 2_000,
    error: undefined,
    dropped: 0,
    ...fields,
  };
}
