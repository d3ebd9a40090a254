import { createServer } from "node:http";
import { expect, onTestFinished, test } from "vitest";
import { listenOnLoopback } from "./listen.ts";

test("a port that browsers refuse to open is passed over", async () => {
  const listening = await listenOnLoopback(createServer, 6_665, new Set());
  onTestFinished(() => {
    for (const server of listening?.servers ?? []) server.close();
  });
  expect(listening?.port).toBeGreaterThanOrEqual(6_670);
});

test("a port that belongs to somebody is passed over", async () => {
  const free = await listenOnLoopback(createServer, 0, new Set());
  for (const server of free!.servers) server.close();
  const listening = await listenOnLoopback(
    createServer,
    free!.port,
    new Set([free!.port]),
  );
  onTestFinished(() => {
    for (const server of listening?.servers ?? []) server.close();
  });
  expect(listening?.port).toBeGreaterThan(free!.port);
});
