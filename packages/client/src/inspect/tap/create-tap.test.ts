// What a client's connections may keep together: everything of a page, little of a flood of large bodies.
import { expect, test } from "vitest";
import type { Exchange } from "@expose/protocol";
import { createTap } from "./create-tap.ts";

const MIB = 1_024 * 1_024;

/** A client for which no time passes by itself. */
function useClient() {
  let now = 0;
  const exchanges: Exchange[] = [];
  let missed = 0;
  const tap = createTap(
    {
      opened() {},
      changed() {},
      finished(capture) {
        exchanges.push(capture.exchange());
        capture.release?.();
      },
      missed: (count) => void (missed += count),
    },
    {},
    () => now,
  )({ tunnel: "a", origin: "https://a", upstream: "localhost:1" });
  return {
    get missed() {
      return missed;
    },
    /** Forgets what was seen before. */
    seen: () => exchanges.splice(0),
    download(bytes: number): void {
      tap.fromVisitor(Buffer.from("GET / HTTP/1.1\r\nHost: a\r\n\r\n"));
      tap.fromUpstream(
        Buffer.from(`HTTP/1.1 200 OK\r\nContent-Length: ${bytes}\r\n\r\n`),
      );
      for (let left = bytes; left > 0; left -= 65_536)
        tap.fromUpstream(body.subarray(0, Math.min(left, 65_536)));
    },
    wait: (ms: number) => void (now += ms),
  };
}

const body = Buffer.alloc(65_536, "x");
const isWhole = ({ response }: Exchange): boolean =>
  response!.body.keptBytes === response!.body.bytes;

test("a page with 200 parts of up to a megabyte is kept whole, and so is a busy service", () => {
  const { download, wait, seen } = useClient();
  const parts = Array.from({ length: 200 }, (_, i) =>
    Math.ceil(((i + 1) / 200) ** 3 * MIB),
  );
  for (let visit = 0; visit < 3; visit++) {
    for (const bytes of parts) download(bytes);
    wait(15_000);
  }
  for (let n = 0; n < 600; n++) {
    wait(100);
    download(300_000);
  }
  const all = seen();
  expect(all).toHaveLength(1_200);
  expect(all.filter(isWhole)).toHaveLength(1_200);
});

test("of megabytes that come by the hundred a second few are kept whole, of the others some are seen, until it is over", () => {
  const client = useClient();
  const second = (): void => {
    for (let n = 0; n < 400; n++) {
      client.download(MIB);
      client.wait(2.5);
    }
  };
  for (let n = 0; n < 10; n++) second();
  client.seen();
  const missed = client.missed;
  second();
  second();
  const all = client.seen();
  expect(all.filter(isWhole)).toHaveLength(2);
  expect(all).toHaveLength(100);
  expect(client.missed - missed).toBe(700);
  for (const { response } of all)
    expect(response!.body.keptBytes).toBeGreaterThanOrEqual(16 * 1_024);

  client.wait(5_000);
  client.seen();
  for (let n = 0; n < 10; n++) client.download(MIB);
  expect(client.seen().filter(isWhole)).toHaveLength(10);
});
