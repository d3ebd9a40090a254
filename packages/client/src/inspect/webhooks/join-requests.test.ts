import type { WebhookFacts } from "@expose/protocol";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { RequestInfo } from "../../tunnel.ts";
import { createRequestJoin } from "./join-requests.ts";

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

const info = (path: string, method = "POST"): RequestInfo => ({
  ...{ method, path, status: 200, durationMs: 1, visitor: "", bytesIn: 0 },
  ...{ bytesOut: 0, error: undefined, dropped: 0 },
});
const facts: WebhookFacts = { provider: "stripe", verdict: "verified" };
const summary = (target: string) => ({
  method: "POST",
  target,
  webhook: facts,
});

function useJoin(mayExplain = true) {
  const told: RequestInfo[] = [];
  const join = createRequestJoin(
    (each) => told.push(each),
    () => mayExplain,
  );
  return { join, told };
}

test("facts that came first are told with the request at once", () => {
  const { join, told } = useJoin();
  join.webhook(summary("/hooks?key=1"));
  join.request(info("/hooks?key=[redacted]"));
  join.request(info("/other"));
  expect(told).toEqual([{ ...info("/hooks?key=[redacted]"), webhook: facts }]);
});

test("a request waits a moment for its facts, and no longer", () => {
  const { join, told } = useJoin();
  join.request(info("/a"));
  join.request(info("/b"));
  expect(told).toEqual([]);
  join.webhook(summary("/b"));
  expect(told).toEqual([{ ...info("/b"), webhook: facts }]);
  vi.advanceTimersByTime(300);
  expect(told.slice(1)).toEqual([info("/a")]);
  expect(vi.getTimerCount()).toBe(0);
});

test("what cannot be a webhook, or cannot be explained, does not wait", () => {
  const { join, told } = useJoin();
  join.request(info("/", "GET"));
  expect(told).toHaveLength(1);
  const without = useJoin(false);
  without.join.request(info("/"));
  expect(without.told).toHaveLength(1);
});

test("a flood is not held back", () => {
  const { join, told } = useJoin();
  for (let i = 0; i < 150; i++) join.request(info(`/${i}`));
  expect(told).toHaveLength(50);
  for (let i = 0; i < 500; i++) join.webhook(summary(`/x${i}`));
  join.request(info("/x299"));
  join.request(info("/x499"));
  expect(told.at(-1)).toMatchObject({ path: "/x499", webhook: facts });
});

test("what is held back is told when the tunnel closes", () => {
  const { join, told } = useJoin();
  join.request(info("/"));
  join.flush();
  expect(told).toEqual([info("/")]);
  expect(vi.getTimerCount()).toBe(0);
});
