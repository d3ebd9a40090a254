// WebSocket messages as a real client and a real server exchange them, seen from between the two.
import { once } from "node:events";
import net, { type AddressInfo } from "node:net";
import { deflateRawSync } from "node:zlib";
import { expect, onTestFinished, test } from "vitest";
import WebSocket, { WebSocketServer, type PerMessageDeflateOptions } from "ws";
import { exchangesOf, play, useTap, type PlayOptions } from "./use-tap.ts";

async function useTappedSocket(
  deflate: boolean | PerMessageDeflateOptions,
  options: PlayOptions & { pieces?: number } = {},
) {
  const server = new WebSocketServer({
    host: "127.0.0.1",
    port: 0,
    perMessageDeflate: deflate,
  });
  await once(server, "listening");
  const { tap, sink, context } = useTap(options);
  const { pieces = Infinity } = options;
  const feed = (take: (chunk: Buffer) => void) => (chunk: Buffer) => {
    for (let at = 0; at < chunk.length; at += pieces)
      take(chunk.subarray(at, Math.min(chunk.length, at + pieces)));
  };
  const sockets: net.Socket[] = [];
  const between = net.createServer((near) => {
    const far = net.connect((server.address() as AddressInfo).port);
    sockets.push(near, far);
    near
      .on(
        "data",
        feed((chunk) => tap.fromVisitor(chunk)),
      )
      .on("error", () => {});
    far
      .on(
        "data",
        feed((chunk) => tap.fromUpstream(chunk)),
      )
      .on("error", () => {});
    near.pipe(far).pipe(near);
    far.on("close", () => {
      tap.upstreamEnded();
      tap.closed();
    });
  });
  between.listen(0, "127.0.0.1");
  await once(between, "listening");
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    between.close();
    server.close();
  });
  const client = new WebSocket(
    `ws://127.0.0.1:${(between.address() as AddressInfo).port}/ws`,
    { perMessageDeflate: deflate },
  );
  const [[serverSide]] = (await Promise.all([
    once(server, "connection"),
    once(client, "open"),
  ])) as [[WebSocket], unknown];
  const closed = once(client, "close");
  return { client, serverSide, sink, closed, context };
}

const texts = ["hello", "hello hello hello".repeat(50), "hello again", "käse"];

test.each([
  ["uncompressed", false],
  ["compressed, with context takeover", { threshold: 0 }],
  [
    "compressed, each on its own",
    {
      threshold: 0,
      serverNoContextTakeover: true,
      clientNoContextTakeover: true,
    },
  ],
] as const)("messages are seen both ways: %s", async (_name, deflate) => {
  for (const pieces of [1, 7, Infinity]) {
    const { client, serverSide, sink, closed } = await useTappedSocket(
      deflate,
      { pieces },
    );
    serverSide.on("message", (data, isBinary) => {
      serverSide.send(data as Buffer, { binary: isBinary });
    });
    for (const text of texts) {
      client.send(text);
      const [echoed] = (await once(client, "message")) as [Buffer];
      expect(String(echoed)).toBe(text);
    }
    client.send(Buffer.from([0, 255, 1]));
    await once(client, "message");
    client.ping("beat");
    await once(client, "pong");
    client.close(4001, "enough");
    await closed;
    const [capture] = sink.captures;
    const seen = capture!.messages.map(({ direction, type, data, closeCode }) =>
      [direction, type, data, closeCode].filter((v) => v !== undefined),
    );
    expect(seen.filter(([direction]) => direction === "in")).toEqual([
      ...texts.map((text) => ["in", "text", text]),
      ["in", "binary", Buffer.from([0, 255, 1]).toString("base64")],
      ["in", "ping", "beat"],
      ["in", "close", "enough", 4001],
    ]);
    expect(seen.filter(([direction]) => direction === "out")).toEqual([
      ...texts.map((text) => ["out", "text", text]),
      ["out", "binary", Buffer.from([0, 255, 1]).toString("base64")],
      ["out", "pong", "beat"],
      ["out", "close", "enough", 4001],
    ]);
    await expect
      .poll(() => exchangesOf(sink)[0])
      .toMatchObject({
        kind: "websocket",
        state: "complete",
        status: 101,
        messages: 14,
      });
    expect(Boolean(capture!.messages[1]!.compressed)).toBe(deflate !== false);
  }
});

test("fragments become one message, with frames of control in between", async () => {
  const { client, serverSide, sink, closed } = await useTappedSocket(false);
  client.send("one ", { fin: false });
  client.ping();
  client.send("two ", { fin: false });
  client.send("three", { fin: true });
  await once(serverSide, "message");
  client.close();
  await closed;
  const incoming = sink.captures[0]!.messages.filter(
    ({ direction }) => direction === "in",
  );
  expect(incoming).toMatchObject([
    { type: "ping" },
    { type: "text", data: "one two three", frames: 3, bytes: 13 },
    { type: "close" },
  ]);
});

test("a large message is cut, and a flood of them counted", async () => {
  const { client, serverSide, sink, closed, context } =
    await useTappedSocket(false);
  client.send("x".repeat(3_000_000));
  await once(serverSide, "message");
  for (let i = 0; i < 1_500; i++) client.send("y");
  client.close();
  await closed;
  await expect.poll(() => sink.finishedIds).toHaveLength(1);
  const [capture] = sink.captures;
  expect(capture!.messages[0]).toMatchObject({
    bytes: 3_000_000,
    keptBytes: 65_536,
  });
  expect(capture!.messages).toHaveLength(1_000);
  expect(exchangesOf(sink)[0]!.messages).toBe(1_503);
  expect(context.kept.held).toBe(0);
});

const UPGRADE =
  "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
const SWITCH =
  "HTTP/1.1 101 X\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n";
const DEFLATE = "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n";

test("messages that never end take no more memory than all exchanges may", () => {
  const { tap, sink, context } = useTap();
  tap.fromVisitor(Buffer.from(UPGRADE));
  tap.fromUpstream(Buffer.from(`${SWITCH}\r\n`));
  const { kept } = context;
  const others = 64 * 1_024 * 1_024 - 10;
  kept.take(others);
  // A frame of 20 bytes in one direction, of which some come, and of a megabyte in the other.
  tap.fromVisitor(Buffer.from("\x81\x14hello ", "latin1"));
  expect(kept.held - others).toBe(6);
  tap.fromUpstream(Buffer.from("\x82\x7f\0\0\0\0\0\x10\0\0abcdefgh", "latin1"));
  expect(kept.held - others).toBe(10);
  tap.fromVisitor(Buffer.from("and so on ..."));
  tap.fromVisitor(Buffer.from("."));
  expect(sink.captures[0]!.messages).toMatchObject([
    { type: "text", data: "hello ", bytes: 20 },
  ]);
  tap.closed();
  expect(kept.held).toBe(others);
});

test("a message that opens to more than a megabyte is shown as it passed, and so is what refers to it", () => {
  const bomb = deflateRawSync(Buffer.alloc(50_000_000)).subarray(0, -4);
  const frame = Buffer.concat([
    Buffer.from([0xc1, 126, bomb.length >> 8, bomb.length & 255]),
    bomb,
  ]);
  const sink = play([
    ["visitor", UPGRADE],
    ["upstream", SWITCH + DEFLATE],
    ["upstream", frame],
    ["upstream", Buffer.from([0xc1, 0x02, 0x00, 0x00])],
  ]);
  expect(sink.captures[0]!.messages).toMatchObject([
    { type: "binary", bytes: bomb.length, encoding: "base64" },
    { type: "binary", bytes: 2, compressed: true },
  ]);
});

test("frames that nobody may send end the capture with a note", () => {
  const sink = play([
    ["visitor", UPGRADE],
    ["upstream", `${SWITCH}\r\n`],
    ["upstream", Buffer.from([0x83, 0x00])],
    ["visitor", Buffer.from([0x81, 0x80, 1, 2, 3, 4])],
  ]);
  expect(exchangesOf(sink)).toMatchObject([
    { state: "broken", note: "A WebSocket frame is of no known kind." },
  ]);
  expect(sink.captures[0]!.messages).toHaveLength(0);
});

test("bytes of another protocol are kept as bodies", () => {
  const sink = play([
    ["visitor", UPGRADE.replace("websocket", "chat")],
    ["upstream", `${SWITCH.replace("websocket", "chat")}\r\n`],
    ["upstream", "hi"],
    ["visitor", "ho"],
  ]);
  expect(String(sink.captures[0]!.responseBody)).toBe("hi");
  expect(String(sink.captures[0]!.requestBody)).toBe("ho");
});
