import { expect, test } from "vitest";
import type {
  Comparison,
  ReplayAnswer,
  ReplayManyAnswer,
} from "@expose/protocol";
import { useRawUpstream } from "../replay/use-raw-upstream.ts";
import { useApi, useInspector } from "./use-inspector.ts";
import { createMemoryStore, makeCapture, makeExchange } from "./use-store.ts";

/** An inspector over a tunnel to a service that answers with what `answer` says, and exchanges that went there. */
async function useReplays(answer: () => string, targets: readonly string[]) {
  const upstream = await useRawUpstream((socket) => socket.end(answer()));
  const store = createMemoryStore();
  const exchanges = targets.map((target) =>
    makeExchange({
      target,
      upstream: upstream.label,
      status: 200,
      request: {
        method: "GET",
        target,
        version: "1.1",
        headers: [["Host", "a"]],
        trailers: [],
        body: { bytes: 0, keptBytes: 0, framing: "none" },
      },
      response: {
        status: 200,
        reason: "OK",
        version: "1.1",
        headers: [["Content-Length", "7"]],
        trailers: [],
        informational: [],
        body: { bytes: 7, keptBytes: 7, framing: "length" },
      },
    }),
  );
  for (const exchange of exchanges)
    store.finished(makeCapture(exchange, { response: '{"a":1}' }));
  const inspector = await useInspector({
    store,
    tunnels: () => [
      {
        name: "shop",
        url: "https://shop.example.com",
        upstream: upstream.label,
        state: "online",
        latencyMs: undefined,
        openConnections: 0,
        dial: upstream.dial,
      },
    ],
  });
  const api = useApi(inspector);
  const post = async <T>(path: string, body: unknown) => {
    const response = await api(path, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    });
    return { status: response.status, body: (await response.json()) as T };
  };
  return { upstream, store, exchanges, api, post };
}

const answerWith = (status: number, body: string): string =>
  `HTTP/1.1 ${status} X\r\nContent-Length: ${body.length}\r\n\r\n${body}`;

test("a replay says its status and its class, and can be compared", async () => {
  const { exchanges, post, api } = await useReplays(
    () => answerWith(500, '{"a":2}'),
    ["/x"],
  );
  const [original] = exchanges;
  const { body } = await post<ReplayAnswer>(
    `/api/v1/exchanges/${original!.id}/replay`,
    { times: 2 },
  );
  expect(body.results).toEqual([
    { id: expect.any(String), status: 500, sameClass: false },
    { id: expect.any(String), status: 500, sameClass: false },
  ]);
  const comparison = (await (
    await api(
      `/api/v1/compare?left=${original!.id}&right=${body.results[0]!.id}`,
    )
  ).json()) as Comparison;
  expect(comparison).toEqual({
    status: { left: 200, right: 500 },
    headers: [],
    body: {
      kind: "json",
      changes: [{ path: "/a", kind: "changed", left: "1", right: "2" }],
    },
  });
});

test("the last so many are replayed oldest first, and replays are no originals", async () => {
  let count = 0;
  const { exchanges, post, upstream } = await useReplays(
    () => answerWith(200, count++ === 0 ? '{"a":1}' : '{"a":3}'),
    ["/old", "/first", "/second"],
  );
  const order = { last: 2 };
  const { body } = await post<ReplayManyAnswer>("/api/v1/replays", order);
  const [, first, second] = exchanges;
  expect(body.results).toMatchObject([
    { original: first!.id, before: 200, after: 200, changes: 0 },
    { original: second!.id, sameClass: true, changes: 1 },
  ]);
  await post("/api/v1/replays", { ...order, filter: "path:/first" });
  expect(upstream.received.map((bytes) => String(bytes).split(" ")[1])).toEqual(
    ["/first", "/second", "/first"],
  );
});

test("garbage from the local service is an answer of ours, and the attempt is kept", async () => {
  const { exchanges, post } = await useReplays(
    () => "220 mail.example ESMTP\r\n",
    ["/x"],
  );
  const { status, body } = await post<ReplayAnswer>(
    `/api/v1/exchanges/${exchanges[0]!.id}/replay`,
    {},
  );
  expect(status).toBe(200);
  expect(body.results).toMatchObject([
    { error: { code: "upstream-garbage" }, sameClass: false },
  ]);
});

test.each([
  ["an exchange that is gone", "01J00000000000000000009999", {}, 404],
  ["another machine", "ID", { upstream: "example.com:80" }, 400],
  ["a provider that is none", "ID", { sign: "nobody" }, 501],
])("%s is refused", async (_name, id, order, status) => {
  const { exchanges, post, upstream } = await useReplays(
    () => answerWith(200, ""),
    ["/x"],
  );
  const answer = await post(
    `/api/v1/exchanges/${id === "ID" ? exchanges[0]!.id : id}/replay`,
    order,
  );
  expect(answer.status).toBe(status);
  expect(upstream.received).toEqual([]);
});
