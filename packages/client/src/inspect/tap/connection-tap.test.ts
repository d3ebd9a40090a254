// What the tap makes of the bytes of a connection.
import { expect, onTestFinished, test, vi } from "vitest";
import { exchangesOf, play, useTap, type Step } from "./use-tap.ts";

const text = (chunks: readonly Buffer[]): string =>
  Buffer.concat(chunks).toString("latin1");

test("a request and its response become an exchange", () => {
  const sink = play([
    [
      "visitor",
      "POST /a?b=c HTTP/1.1\r\nHost: shop.example.com\r\nX-Forwarded-For: 1.1.1.1, 2.2.2.2\r\nContent-Type: text/plain\r\ncontent-length: 5\r\n\r\nhello",
    ],
    [
      "upstream",
      "HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nSet-Cookie: a\r\nset-cookie: b \r\nContent-Length: 2\r\n\r\n{}",
    ],
  ]);
  const [exchange] = exchangesOf(sink);
  expect(exchange).toMatchObject({
    tunnel: "shop",
    kind: "http",
    state: "complete",
    method: "POST",
    target: "/a?b=c",
    host: "shop.example.com",
    status: 201,
    requestBytes: 5,
    responseBytes: 2,
    requestType: "text/plain",
    responseType: "application/json",
    visitor: "2.2.2.2",
    request: { version: "1.1", body: { framing: "length", keptBytes: 5 } },
    response: {
      reason: "Created",
      headers: [
        ["Content-Type", "application/json"],
        ["Set-Cookie", "a"],
        ["set-cookie", "b"],
        ["Content-Length", "2"],
      ],
    },
  });
  expect(text(sink.captures[0]!.requestBody)).toBe("hello");
  expect(text(sink.captures[0]!.responseBody)).toBe("{}");
  expect(sink.finishedIds).toHaveLength(1);
});

const GET = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

test("a response that is cut off leaves an exchange that was aborted", () => {
  const sink = play(
    [
      ["visitor", GET],
      ["upstream", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc"],
    ],
    { error: new Error("read ECONNRESET") },
  );
  expect(exchangesOf(sink)).toMatchObject([
    {
      state: "aborted",
      responseBytes: 3,
      note: "The connection closed before the response was over.",
    },
  ]);
  expect(sink.finishedIds).toHaveLength(1);
});

test("a service that cannot be reached is the reason of an exchange without a response", () => {
  const sink = play([["visitor", GET]], {
    error: new Error("connect ECONNREFUSED 127.0.0.1:8080"),
  });
  expect(exchangesOf(sink)).toMatchObject([
    {
      state: "aborted",
      note: "No response came. connect ECONNREFUSED 127.0.0.1:8080.",
    },
  ]);
});

test("a body until the connection ends is whole only when the service ended it", () => {
  const steps: Step[] = [
    ["visitor", GET],
    ["upstream", "HTTP/1.1 200 OK\r\n\r\nabc"],
  ];
  expect(exchangesOf(play(steps))[0]!.state).toBe("complete");
  expect(
    exchangesOf(play(steps, { noEnd: true, error: new Error("cut") }))[0]!
      .state,
  ).toBe("aborted");
});

test("what is not HTTP is a connection with its bytes", () => {
  const tls = "\x16\x03\x01\x02\x00\x01";
  const sink = play(
    [
      ["visitor", tls],
      ["upstream", "\x16\x03\x03"],
      ["visitor", "\x17"],
    ],
    { cut: (bytes) => Array.from(bytes, (byte) => Buffer.from([byte])) },
  );
  expect(exchangesOf(sink)).toMatchObject([
    {
      kind: "raw",
      state: "complete",
      method: "",
      requestBytes: 7,
      responseBytes: 3,
    },
  ]);
  expect(text(sink.captures[0]!.requestBody)).toBe(`${tls}\x17`);
  expect(text(sink.captures[0]!.responseBody)).toBe("\x16\x03\x03");
});

test("a service that speaks first, and a request without an end, are connections too", () => {
  expect(
    exchangesOf(play([["upstream", "SSH-2.0-OpenSSH_9.2\r\n"]])),
  ).toMatchObject([{ kind: "raw", responseBytes: 21 }]);
  expect(
    exchangesOf(play([["visitor", "GET / HTTP/1.1\r\nHos"]])),
  ).toMatchObject([{ kind: "raw", requestBytes: 19 }]);
});

test("line ends that no request follows are not kept for ever, under load neither", () => {
  const { tap, sink } = useTap({ admit: () => false });
  const lines = Buffer.from("\r\n".repeat(32 * 1_024));
  for (let i = 0; i < 4; i++) tap.fromVisitor(lines);
  expect(sink.missedCount).toBe(0);
  tap.fromVisitor(lines);
  expect(sink.missedCount).toBe(1);
});

test("HTTP that goes wrong later breaks the open exchanges, and the rest passes unseen", () => {
  const sink = play([
    ["visitor", GET],
    ["upstream", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"],
    ["visitor", GET],
    ["upstream", "no response at all\r\n\r\n"],
    ["visitor", GET],
  ]);
  expect(exchangesOf(sink)).toMatchObject([
    { state: "complete" },
    {
      state: "broken",
      note: expect.stringMatching(/^The response cannot be read\. /),
    },
  ]);
});

test("a body is kept to its bound and counted beyond", () => {
  const sink = play(
    [
      ["visitor", GET],
      [
        "upstream",
        `HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n${"x".repeat(100_000)}`,
      ],
    ],
    { maxBodyBytes: 10 },
  );
  expect(exchangesOf(sink)[0]!.response!.body).toEqual({
    bytes: 100_000,
    keptBytes: 10,
    framing: "length",
  });
  expect(text(sink.captures[0]!.responseBody)).toBe("x".repeat(10));
});

test("of a body that comes behind too many bytes the beginning is kept all the same", () => {
  const sink = play(
    [
      ["visitor", GET],
      [
        "upstream",
        `HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n${"x".repeat(100_000)}`,
      ],
    ],
    { keptBurst: 1_000 },
  );
  expect(exchangesOf(sink)).toMatchObject([
    { response: { body: { bytes: 100_000, keptBytes: 16 * 1_024 + 1_000 } } },
  ]);
});

const exchange = (
  tap: ReturnType<typeof useTap>["tap"],
  path: string,
): void => {
  tap.fromVisitor(Buffer.from(`GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`));
  tap.fromUpstream(
    Buffer.from("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"),
  );
};

test("in a flood a connection is looked at again when it has been silent behind an answer", () => {
  vi.useFakeTimers({ toFake: ["performance"] });
  onTestFinished(() => void vi.useRealTimers());
  let flooded = false;
  let full = true;
  const { tap, sink } = useTap({
    admit: () => !full,
    flooded: () => flooded,
  });
  flooded = true;
  exchange(tap, "/turned-away");
  full = false;
  for (let n = 0; n < 5; n++) {
    vi.advanceTimersByTime(49);
    exchange(tap, "/unseen");
  }
  expect(sink.missedCount).toBe(6);
  // A request in two parts with a pause between them is no request that begins.
  vi.advanceTimersByTime(10);
  tap.fromVisitor(
    Buffer.from("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: "),
  );
  vi.advanceTimersByTime(1_000);
  tap.fromVisitor(Buffer.from("28\r\n\r\nGET /forged HTTP/1.1\r\n"));
  tap.fromUpstream(Buffer.from("HTTP/1.1 204 No Content\r\n\r\n"));
  expect(sink.captures).toHaveLength(0);

  vi.advanceTimersByTime(50);
  exchange(tap, "/seen");
  expect(sink.captures.map((each) => each.exchange())).toMatchObject([
    { target: "/seen", status: 200, state: "complete" },
  ]);
  expect(sink.missedCount).toBe(7);
});

test("in a flood a connection that begins is read only if there is room for its first exchange", () => {
  vi.useFakeTimers({ toFake: ["performance"] });
  onTestFinished(() => void vi.useRealTimers());
  let admitted = 0;
  const options = { flooded: () => true };
  const room = useTap({ ...options, admit: () => ++admitted === 1 });
  exchange(room.tap, "/seen");
  exchange(room.tap, "/unseen");
  room.tap.closed();
  expect(admitted).toBe(2);
  expect(exchangesOf(room.sink)).toMatchObject([
    { target: "/seen", status: 200, state: "complete" },
  ]);
  expect(room.sink.missedCount).toBe(1);

  let full = true;
  const later = useTap({ ...options, admit: () => !full });
  // What begins in the middle of something is never taken for a request.
  later.tap.fromVisitor(
    Buffer.from("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: "),
  );
  full = false;
  vi.advanceTimersByTime(1_000);
  later.tap.fromVisitor(Buffer.from("28\r\n\r\nGET /forged HTTP/1.1\r\n"));
  later.tap.fromUpstream(Buffer.from("HTTP/1.1 204 No Content\r\n\r\n"));
  later.tap.upstreamEnded();
  expect(later.sink.captures).toHaveLength(0);
  vi.advanceTimersByTime(50);
  exchange(later.tap, "/seen");
  later.tap.closed();
  expect(exchangesOf(later.sink)).toMatchObject([
    { target: "/seen", status: 200, state: "complete" },
  ]);
  expect(later.sink.missedCount).toBe(1);
});

test("without a flood a connection that was turned away once is read on", () => {
  let full = true;
  const { tap, sink } = useTap({ admit: () => !full });
  exchange(tap, "/turned-away");
  full = false;
  exchange(tap, "/seen");
  expect(sink.captures).toHaveLength(1);
});
