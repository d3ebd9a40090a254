import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { connect, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { FramedStream } from "./framed-stream.ts";

it("carries bytes both ways, whatever the chunks, and keeps half-close", async () => {
  const [a, b] = await usePair();
  const bodies = [randomBytes(3_000_000), randomBytes(1_000_000)] as const;
  const [gotB, gotA] = await Promise.all([
    readAll(b),
    readAll(a),
    send(a, bodies[0], 7_001),
    send(b, bodies[1], 65_536),
  ]);
  expect(digest(gotB)).toBe(digest(bodies[0]));
  expect(digest(gotA)).toBe(digest(bodies[1]));
  for (const side of [a, b]) if (!side.closed) await once(side, "close");
});

it("lets one side go on after the other has ended", async () => {
  const [a, b] = await usePair();
  a.end("question");
  expect(String(await readAll(b))).toBe("question");
  b.end("answer");
  expect(String(await readAll(a))).toBe("answer");
});

it("shows the end of a side that gave up as an error, behind what had arrived", async () => {
  const [a, b] = await usePair();
  a.write("half");
  await once(b, "readable");
  a.destroy();
  const got: string[] = [];
  b.on("data", (chunk) => got.push(String(chunk)));
  b.on("end", () => got.push("end"));
  const [error] = (await once(b, "error")) as [NodeJS.ErrnoException];
  expect(error.code).toBe("ECONNRESET");
  expect(got).toEqual(["half"]);
});

it("shows it to a side that has ended, too", async () => {
  const [a, b] = await usePair();
  b.resume();
  b.end();
  await once(b, "finish");
  a.destroy();
  const [error] = (await once(b, "error")) as [NodeJS.ErrnoException];
  expect(error.code).toBe("ECONNRESET");
});

it("reads headers and frames that come byte by byte", async () => {
  const { raw, stream } = await useRaw();
  const got = readAll(stream);
  const frame = Buffer.from([0, 0, 0, 3, 97, 98, 99, 0, 0, 0, 1, 100]);
  for (const byte of Buffer.concat([frame, Buffer.alloc(4)])) {
    raw.write(Buffer.of(byte));
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect(String(await got)).toBe("abcd");
});

it("gives up on a length that nobody would send, and on bytes behind the end", async () => {
  for (const bytes of [
    [0xff, 0, 0, 0],
    [0, 0, 0, 0, 0, 0, 0, 1, 97],
  ]) {
    const { raw, stream } = await useRaw();
    stream.resume();
    raw.write(Buffer.from(bytes));
    const [error] = (await once(stream, "error")) as [Error];
    expect(error.message).toBe("A broken frame.");
  }
});

it("holds back a side that sends to one that does not read", async () => {
  const [a, b] = await usePair();
  const chunk = Buffer.alloc(65_536);
  let queued = 0;
  while (queued < 100 && a.write(chunk)) queued++;
  expect(queued).toBeLessThan(100);
  expect(b.readableLength).toBeLessThan(1024 ** 2);
  a.destroy();
});

async function usePair(): Promise<[FramedStream, FramedStream]> {
  const [a, b] = await useSockets();
  return [new FramedStream(a), new FramedStream(b)];
}

async function useRaw(): Promise<{ raw: Socket; stream: FramedStream }> {
  const [raw, other] = await useSockets();
  raw.on("error", () => {});
  return { raw, stream: new FramedStream(other) };
}

async function useSockets(): Promise<[Socket, Socket]> {
  const folder = mkdtempSync(join(tmpdir(), "expose-framed-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const server = createServer();
  onTestFinished(() => void server.close());
  server.listen(join(folder, "s"));
  await once(server, "listening");
  const a = connect(join(folder, "s"));
  const [b] = (await once(server, "connection")) as [Socket];
  onTestFinished(() => void a.destroy());
  onTestFinished(() => void b.destroy());
  return [a, b];
}

async function send(
  stream: FramedStream,
  body: Buffer,
  chunk: number,
): Promise<void> {
  for (let at = 0; at < body.length; at += chunk)
    if (!stream.write(body.subarray(at, at + chunk)))
      await once(stream, "drain");
  stream.end();
}

async function readAll(stream: FramedStream): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream.iterator({ destroyOnReturn: false }))
    chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

const digest = (bytes: Buffer): string =>
  createHash("sha256").update(bytes).digest("hex");
