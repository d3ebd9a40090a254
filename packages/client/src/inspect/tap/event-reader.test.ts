// Server-sent events, however they are cut.
import { expect, test } from "vitest";
import { createEventReader, type ServerEvent } from "./event-reader.ts";
import { exchangesOf, play, type Step } from "./use-tap.ts";

const STREAM =
  "\uFEFF: a comment\n\ndata: one\n\nevent: add\rdata: 1\rdata:  two\r\rid: 7\r\ndata: käse\r\n\r\nretry: 10\n\nevent: none\n\ndata\n\ndata: never ended\n";

test.each([1, 2, 3, 5, 1_000])("are read in pieces of %i", (size) => {
  const events: ServerEvent[] = [];
  const reader = createEventReader((event) => events.push(event));
  const bytes = Buffer.from(STREAM);
  for (let at = 0; at < bytes.length; at += size)
    reader.read(bytes.subarray(at, at + size));
  expect(events).toEqual([
    { data: "one", event: undefined, id: undefined },
    { data: "1\n two", event: "add", id: undefined },
    { data: "käse", event: undefined, id: "7" },
    { data: "", event: undefined, id: undefined },
  ]);
});

test("are messages of an exchange as they come", () => {
  const steps: Step[] = [
    ["visitor", "GET /events HTTP/1.1\r\nHost: a\r\n\r\n"],
    [
      "upstream",
      "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\nTransfer-Encoding: chunked\r\n\r\n",
    ],
    ["upstream", "9\r\ndata: 1\n\n\r\n"],
    ["upstream", "12\r\nevent: e\ndata: 2\n\n\r\n0\r\n\r\n"],
  ];
  const sink = play(steps);
  expect(exchangesOf(sink)).toMatchObject([
    { kind: "events", state: "complete", messages: 2 },
  ]);
  expect(sink.captures[0]!.messages).toMatchObject([
    { index: 0, direction: "out", type: "event", data: "1" },
    { index: 1, type: "event", data: "2", event: "e", encoding: "utf8" },
  ]);
  expect(String(Buffer.concat(sink.captures[0]!.responseBody))).toBe(
    "data: 1\n\nevent: e\ndata: 2\n\n",
  );
});

test("that are compressed stay a body", () => {
  const sink = play([
    ["visitor", "GET / HTTP/1.1\r\nHost: a\r\n\r\n"],
    [
      "upstream",
      "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc",
    ],
  ]);
  expect(exchangesOf(sink)[0]).toMatchObject({ kind: "events" });
  expect(exchangesOf(sink)[0]!.messages).toBeUndefined();
});
