import { expect, it } from "vitest";
import type { EdgeMessage } from "@expose/protocol";
import type { RequestRecord } from "../access-log/record.ts";
import { createRequestFeed } from "./request-feed.ts";

it("forgets a tunnel, so that one that comes and goes leaves nothing", () => {
  const sent: EdgeMessage[] = [];
  const feed = createRequestFeed({
    queuedBytes: 0,
    send: (message) => sent.push(message) > 0,
  });
  const push = (): void => feed.push(record, (target) => target);
  feed.name("shop", 1);
  push();
  expect(sent).toHaveLength(1);
  feed.forget("shop");
  push();
  expect(sent).toHaveLength(1);
});

const record: RequestRecord = {
  ...{ startedAt: 0, tunnel: "shop", identity: "alice", visitor: "192.0.2.1" },
  ...{ method: "GET", target: "/", host: "shop.localhost", httpVersion: "1.1" },
  ...{ rawHeaders: [], status: 200, error: undefined, upgraded: false },
  ...{ routeMs: 0, connectMs: 1, firstByteMs: 2, totalMs: 3 },
  ...{ bytesIn: 0, bytesOut: 0, retried: false },
};
