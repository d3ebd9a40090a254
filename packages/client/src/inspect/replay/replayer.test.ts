import type net from "node:net";
import { once } from "node:events";
import type { Exchange } from "@expose/protocol";
import { describe, expect, test } from "vitest";
import type { Capture } from "../capture.ts";
import { createTap } from "../tap/create-tap.ts";
import { createMemoryStore } from "../server/use-store.ts";
import { createReplayer, type ReplayerOptions } from "./replayer.ts";
import { useRawUpstream, type RawUpstream } from "./use-raw-upstream.ts";

const OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/** Passes a request and its answer by a tap, as a tunnel does. */
async function capture(
  store: ReturnType<typeof createMemoryStore>,
  upstream: string,
  request: string | Buffer,
  response: string | Buffer = OK,
): Promise<Exchange> {
  let captured: Capture | undefined;
  const tap = createTap({
    ...store,
    finished(done) {
      captured = done;
      store.finished(done);
    },
  })({ tunnel: "shop", origin: "https://shop.example.com", upstream });
  tap.fromVisitor(Buffer.from(request));
  tap.fromUpstream(Buffer.from(response));
  tap.upstreamEnded();
  tap.closed();
  return captured!.exchange();
}

/** A replayer whose one tunnel leads to `upstream`. */
function useReplayer(
  upstream: RawUpstream,
  options: Partial<ReplayerOptions> = {},
) {
  const store = createMemoryStore();
  const replayer = createReplayer({
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
    ...options,
  });
  const { signal } = new AbortController();
  return { store, replayer, target: { signal } };
}

const REQUESTS = {
  "a GET with odd headers":
    "GET /a%2Fb?x=%20&&y HTTP/1.1\r\nhOsT: shop.example.com\r\nX-Twice: 1\r\nACCEPT: */*\r\nx-twice: 2\r\nX-Empty: \r\nX-Latin: caf\xe9\r\nConnection: keep-alive\r\n\r\n",
  "a POST with a length":
    'POST /hook HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 15\r\nX-Signature: abc\r\n\r\n{"a": 1,\n"b":2}',
  "a POST that expects to be asked":
    "POST /hook HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nhi",
  "a chunked POST with trailers, which was one chunk":
    "POST /hook HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n5\r\nhello\r\n0\r\nX-Sum: 7\r\n\r\n",
  "a POST of nothing":
    "POST /hook HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n",
  "a HEAD": "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n",
  "a request of HTTP/1.0": "GET / HTTP/1.0\r\nHost: a\r\n\r\n",
};

describe("a replay's bytes are those of the original", () => {
  test.each(Object.entries(REQUESTS))("%s", async (_name, text) => {
    const request = Buffer.from(text, "latin1");
    const upstream = await useRawUpstream((socket) => socket.write(OK));
    const { store, replayer, target } = useReplayer(upstream);
    const original = await capture(store, upstream.label, request);
    const [replayed] = await replayer.replay(original, {}, target);
    expect(upstream.received[0]!.toString("latin1")).toBe(text);
    expect(replayed).toMatchObject({ error: undefined, sameClass: true });
  });

  test("a body with a coding and every byte value", async () => {
    const body = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
    const request = Buffer.concat([
      Buffer.from(
        "PUT /x HTTP/1.1\r\nHost: a\r\nContent-Encoding: br\r\nContent-Length: 256\r\n\r\n",
      ),
      body,
    ]);
    const upstream = await useRawUpstream((socket) => socket.write(OK));
    const { store, replayer, target } = useReplayer(upstream);
    const original = await capture(store, upstream.label, request);
    await replayer.replay(original, {}, target);
    expect(upstream.received[0]!.equals(request)).toBe(true);
  });

  test("a body of several chunks is sent as one", async () => {
    const upstream = await useRawUpstream((socket) => socket.write(OK));
    const { store, replayer, target } = useReplayer(upstream);
    const original = await capture(
      store,
      upstream.label,
      "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\n\r\n",
    );
    await replayer.replay(original, {}, target);
    expect(upstream.received[0]!.toString()).toBe(
      "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    );
  });
});

test("a replay is an exchange of its own, which names the original", async () => {
  const upstream = await useRawUpstream((socket) =>
    socket.write("HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nbusy"),
  );
  const { store, replayer, target } = useReplayer(upstream);
  const original = await capture(
    store,
    upstream.label,
    REQUESTS["a POST with a length"],
  );
  const [replayed] = await replayer.replay(original, {}, target);
  expect(replayed).toMatchObject({
    sameClass: false,
    error: undefined,
    exchange: { status: 503, replayOf: original.id, tunnel: "shop" },
  });
  expect(replayed!.responseBody.toString()).toBe("busy");
  const { items } = await store.list({ limit: 10 });
  expect(items.map(({ replayOf }) => replayOf)).toEqual([
    original.id,
    undefined,
  ]);
});

describe("an edit", () => {
  test.each([
    [
      "of the method and the target alone leaves the rest",
      { method: "PATCH", target: "/other" },
      'PATCH /other HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 15\r\nX-Signature: abc\r\n\r\n{"a": 1,\n"b":2}',
    ],
    [
      "of the body makes the length right, in its place",
      { body: Buffer.from("{}") },
      "POST /hook HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 2\r\nX-Signature: abc\r\n\r\n{}",
    ],
    [
      "of the headers cannot say a wrong length",
      {
        headers: [
          ["Host", "b"],
          ["content-length", "999"],
          ["Content-Length", "1"],
          ["Transfer-Encoding", "chunked"],
        ] as [string, string][],
      },
      'POST /hook HTTP/1.1\r\nHost: b\r\ncontent-length: 15\r\n\r\n{"a": 1,\n"b":2}',
    ],
    [
      "that takes the body away",
      { method: "GET", body: Buffer.alloc(0) },
      "GET /hook HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nX-Signature: abc\r\n\r\n",
    ],
  ])("%s", async (_name, edit, expected) => {
    const upstream = await useRawUpstream((socket) => socket.write(OK));
    const { store, replayer, target } = useReplayer(upstream);
    const original = await capture(
      store,
      upstream.label,
      REQUESTS["a POST with a length"],
    );
    await replayer.replay(original, edit, target);
    expect(upstream.received[0]!.toString()).toBe(expected);
  });

  test.each([
    ["a method of two words", { method: "GET /" }],
    ["an empty method", { method: "" }],
    ["a target with a line break", { target: "/\r\nX: y" }],
    ["an empty target", { target: "" }],
    ["a header name with a colon", { headers: [["X:", "y"]] }],
    ["a header value with a line break", { headers: [["X", "y\r\nZ: 1"]] }],
    ["a header value beyond Latin-1", { headers: [["X", "€"]] }],
    ["a header value with a zero", { headers: [["X", "a\0b"]] }],
  ])("that makes %s is refused, and nothing is sent", async (_name, edit) => {
    const upstream = await useRawUpstream((socket) => socket.write(OK));
    const { store, replayer, target } = useReplayer(upstream);
    const original = await capture(store, upstream.label, REQUESTS["a HEAD"]);
    await expect(
      replayer.replay(original, edit as never, target),
    ).rejects.toMatchObject({ code: "request-invalid" });
    expect(upstream.received).toEqual([]);
  });
});

describe("secrets that the history does not keep", () => {
  const redacted = async (upstream: RawUpstream) => {
    const { store, replayer, target } = useReplayer(upstream);
    const captured = await capture(
      store,
      upstream.label,
      "GET / HTTP/1.1\r\nHost: a\r\nAuthorization: [redacted]\r\nCookie: [redacted]\r\nX: [redacted]\r\n\r\n",
    );
    const original: Exchange = {
      ...captured,
      redacted: ["authorization", "cookie", "set-cookie"],
    };
    return { replayer, original, target };
  };

  test("are named, and nothing is sent", async () => {
    const upstream = await useRawUpstream((socket) => socket.write(OK));
    const { replayer, original, target } = await redacted(upstream);
    await expect(replayer.replay(original, {}, target)).rejects.toMatchObject({
      code: "secrets-missing",
      headers: ["authorization", "cookie"],
    });
    expect(upstream.received).toEqual([]);
  });

  test("are left away when that is wanted", async () => {
    const upstream = await useRawUpstream((socket) => socket.write(OK));
    const { replayer, original, target } = await redacted(upstream);
    await replayer.replay(original, { withoutSecrets: true }, target);
    expect(upstream.received[0]!.toString()).toBe(
      "GET / HTTP/1.1\r\nHost: a\r\nX: [redacted]\r\n\r\n",
    );
  });

  test("in the query are named and left away as well", async () => {
    const upstream = await useRawUpstream((socket) => socket.write(OK));
    const { store, replayer, target } = useReplayer(upstream);
    const captured = await capture(
      store,
      upstream.label,
      "GET /a?x=1&token=[redacted]&y=2 HTTP/1.1\r\nHost: a\r\nReferer: /?key=[redacted]\r\n\r\n",
    );
    const original = { ...captured, redacted: [":path", "referer"] };
    await expect(replayer.replay(original, {}, target)).rejects.toMatchObject({
      code: "secrets-missing",
      headers: ["referer", ":path"],
    });
    await replayer.replay(original, { withoutSecrets: true }, target);
    expect(upstream.received.map(String)).toEqual([
      "GET /a?x=1&y=2 HTTP/1.1\r\nHost: a\r\n\r\n",
    ]);
  });

  test("may be given anew", async () => {
    const upstream = await useRawUpstream((socket) => socket.write(OK));
    const { replayer, original, target } = await redacted(upstream);
    await replayer.replay(
      original,
      { headers: [["authorization", "Bearer x"]] },
      target,
    );
    expect(upstream.received[0]!.toString()).toBe(
      "GET / HTTP/1.1\r\nauthorization: Bearer x\r\n\r\n",
    );
  });
});

test("a fresh signature takes the place of the old one", async () => {
  const upstream = await useRawUpstream((socket) => socket.write(OK));
  const { store, replayer, target } = useReplayer(upstream);
  const original = await capture(
    store,
    upstream.label,
    REQUESTS["a POST with a length"],
  );
  await replayer.replay(
    original,
    {
      body: Buffer.from("{}"),
      sign: (_exchange, body) => [
        ["x-signature", `of ${body.toString()}`],
        ["X-Timestamp", "now"],
      ],
    },
    target,
  );
  expect(upstream.received[0]!.toString()).toBe(
    "POST /hook HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 2\r\nX-Signature: of {}\r\nX-Timestamp: now\r\n\r\n{}",
  );
});

describe("what cannot be repeated is refused", () => {
  test.each([
    [
      "a body that is not kept whole",
      "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhe",
    ],
    [
      "a chunked body that never ended",
      "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n",
    ],
    ["what is no HTTP", "SSH-2.0-x\r\n\r\n\r\n"],
  ])("%s", async (_name, bytes) => {
    const upstream = await useRawUpstream((socket) => socket.write(OK));
    const { store, replayer, target } = useReplayer(upstream);
    const original = await capture(store, upstream.label, bytes, "");
    await expect(replayer.replay(original, {}, target)).rejects.toMatchObject({
      code: "replay-refused",
    });
  });
});

describe("an upstream that", () => {
  test.each<[string, (socket: net.Socket) => void, string]>([
    [
      "answers garbage",
      (socket) => socket.end("what is this?\r\n\r\n"),
      "upstream-garbage",
    ],
    ["hangs up", (socket) => socket.end(), "upstream-closed"],
    ["resets", (socket) => socket.resetAndDestroy(), "upstream-closed"],
    [
      "stops within its head",
      (socket) => socket.end("HTTP/1.1 200 OK\r\nContent-"),
      "upstream-closed",
    ],
    [
      "stops within its body",
      (socket) => socket.end("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhi"),
      "upstream-closed",
    ],
    ["says nothing", () => {}, "upstream-timeout"],
    [
      "stops saying anything",
      (socket) =>
        socket.write("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhi"),
      "upstream-timeout",
    ],
  ])("%s is told", async (_name, answer, code) => {
    const upstream = await useRawUpstream(answer);
    const { store, replayer, target } = useReplayer(upstream, { idleMs: 300 });
    const original = await capture(
      store,
      upstream.label,
      REQUESTS["a HEAD"].replace("HEAD", "GET"),
    );
    const [replayed] = await replayer.replay(original, {}, target);
    expect(replayed).toMatchObject({ error: { code }, sameClass: false });
  });

  test("is not there is told, and the attempt is an exchange", async () => {
    const upstream = await useRawUpstream(() => {});
    const { store, replayer, target } = useReplayer({
      ...upstream,
      dial: () => Promise.reject(new Error("Nobody listens.")),
    });
    const original = await capture(store, upstream.label, REQUESTS["a HEAD"]);
    const [replayed] = await replayer.replay(original, {}, target);
    expect(replayed).toMatchObject({
      error: { code: "upstream-unreachable", message: "Nobody listens." },
      exchange: { state: "aborted", replayOf: original.id },
    });
  });

  test("drips for ever is cut off", async () => {
    const upstream = await useRawUpstream((socket) => {
      socket.write("HTTP/1.1 200 OK\r\n\r\n");
      const timer = setInterval(() => socket.write("."), 20);
      socket.on("close", () => clearInterval(timer));
    });
    const { store, replayer, target } = useReplayer(upstream, {
      totalMs: 300,
    });
    const original = await capture(
      store,
      upstream.label,
      REQUESTS["a HEAD"].replace("HEAD", "GET"),
    );
    const [replayed] = await replayer.replay(original, {}, target);
    expect(replayed).toMatchObject({ error: { code: "upstream-timeout" } });
  });
});

test("a replay ends when nobody waits for it any more", async () => {
  const upstream = await useRawUpstream(() => gone.abort());
  const gone = new AbortController();
  const { store, replayer } = useReplayer(upstream);
  const original = await capture(store, upstream.label, REQUESTS["a HEAD"]);
  const [replayed] = await replayer.replay(
    original,
    {},
    { signal: gone.signal },
  );
  expect(replayed).toMatchObject({ error: { code: "aborted" } });
});

test("those that wait for their turn are not sent for somebody who has gone", async () => {
  const upstream = await useRawUpstream(() => gone.abort());
  const gone = new AbortController();
  const { store, replayer } = useReplayer(upstream);
  const original = await capture(store, upstream.label, REQUESTS["a HEAD"]);
  const replayed = await replayer.replay(
    original,
    {},
    { times: 20, signal: gone.signal },
  );
  const sent = replayed.filter(({ exchange }) => exchange !== undefined);
  expect(sent.length).toBeLessThanOrEqual(8);
  expect(replayed.map(({ error }) => error?.code)).toEqual(
    Array.from({ length: 20 }, () => "aborted"),
  );
});

test("many replays run a few at a time, and all of them", async () => {
  let [open, most] = [0, 0];
  const upstream = await useRawUpstream((socket) => {
    most = Math.max(most, ++open);
    setImmediate(() => {
      open--;
      socket.write(OK);
    });
  });
  const { store, replayer, target } = useReplayer(upstream);
  const original = await capture(
    store,
    upstream.label,
    REQUESTS["a HEAD"].replace("HEAD", "GET"),
  );
  const replayed = await replayer.replay(
    original,
    {},
    { ...target, times: 40 },
  );
  expect(replayed.filter(({ sameClass }) => sameClass)).toHaveLength(40);
  expect(upstream.received).toHaveLength(40);
  expect(most).toBeLessThanOrEqual(8);
});

describe("another upstream", () => {
  test("of this machine is dialled", async () => {
    const [upstream, other] = [
      await useRawUpstream(() => {}),
      await useRawUpstream((socket) => socket.write(OK)),
    ];
    const { store, replayer, target } = useReplayer(upstream, {
      openUpstream: () => ({
        label: other.label,
        dial: other.dial,
        close() {},
      }),
    });
    const original = await capture(store, upstream.label, REQUESTS["a HEAD"]);
    const [replayed] = await replayer.replay(
      original,
      {},
      { ...target, upstream: other.label },
    );
    expect(replayed).toMatchObject({
      error: undefined,
      exchange: { upstream: other.label },
    });
    expect(upstream.received).toEqual([]);
  });

  test.each([
    "example.com:80",
    "https://example.com",
    "8.8.8.8:80",
    "169.254.169.254:80",
    "[fe80::1]:80",
    "[::ffff:8.8.8.8]:80",
    "./folder",
    "/etc",
    "what is this",
    "0:80",
    "2130706433:80",
  ])("%s is refused", async (wanted) => {
    const upstream = await useRawUpstream(() => {});
    const { store, replayer, target } = useReplayer(upstream, {
      openUpstream: () => {
        throw new Error("It was dialled.");
      },
    });
    const original = await capture(store, upstream.label, REQUESTS["a HEAD"]);
    await expect(
      replayer.replay(original, {}, { ...target, upstream: wanted }),
    ).rejects.toMatchObject({ code: "upstream-refused" });
  });
});

test("the connection is closed after the answer, even one that is kept alive", async () => {
  let closed: Promise<unknown> | undefined;
  const upstream = await useRawUpstream((socket) => {
    closed = once(socket, "close");
    socket.on("end", () => socket.end());
    socket.write(OK);
  });
  const { store, replayer, target } = useReplayer(upstream);
  const original = await capture(
    store,
    upstream.label,
    REQUESTS["a HEAD"].replace("HEAD", "GET"),
  );
  await replayer.replay(original, {}, target);
  await closed;
  expect(closed).toBeDefined();
});
