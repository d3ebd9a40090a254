// What is lent comes whole and in order, whoever pauses, buffers or stops in between. Fails when a Node keeps its
// buffers in another way, and lending would be off there.
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { connect, createServer, Socket } from "node:net";
import { PassThrough } from "node:stream";
import { TLSSocket } from "node:tls";
import { expect, onTestFinished, test } from "vitest";
import { kept, lendReads } from "./lent-reads.ts";

interface Pair {
  /** Accepted; it lends. */
  near: Socket;
  far: Socket;
  stop: () => void;
}

async function usePair(): Promise<Pair> {
  const server = createServer({ allowHalfOpen: true });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  const far = connect({ port, host: "127.0.0.1" });
  const [near] = (await once(server, "connection")) as [Socket];
  onTestFinished(() => {
    far.destroy();
    near.destroy();
    server.close();
  });
  const stop = lendReads(near);
  if (!stop) throw new Error("This Node does not lend.");
  return { near, far, stop };
}

const sha = (bytes: Buffer): string =>
  createHash("sha256").update(bytes).digest("hex");

test("chunks share their memory, and one that is kept has its own", async () => {
  const { near, far } = await usePair();
  const lent: Buffer[] = [];
  const copies: Buffer[] = [];
  near.on("data", (chunk: Buffer) => {
    lent.push(chunk);
    copies.push(kept(chunk));
  });
  for (const text of ["first", "other"]) {
    far.write(text);
    await once(near, "data");
  }
  expect(lent.map(String)).toEqual(["other", "other"]);
  expect(copies.map(String)).toEqual(["first", "other"]);
  const own = Buffer.from("own");
  expect(kept(own)).toBe(own);
});

test("a reader that pauses after each chunk gets every byte in order, and the end", async () => {
  const { near, far } = await usePair();
  const sent = randomBytes(8_000_000);
  const got: Buffer[] = [];
  near.on("data", (chunk: Buffer) => {
    got.push(kept(chunk));
    near.pause();
    setImmediate(() => near.resume());
  });
  far.end(sent);
  await once(near, "end");
  expect(sha(Buffer.concat(got))).toBe(sha(sent));
});

test("what comes behind bytes that were given back comes behind them", async () => {
  const { near, far } = await usePair();
  far.write("cd");
  const [first] = (await once(near, "data")) as [Buffer];
  near.pause();
  near.unshift(kept(first));
  near.unshift("ab");
  far.end("ef");
  const got: string[] = [];
  near.on("data", (chunk: Buffer) => got.push(String(chunk)));
  near.resume();
  await once(near, "end");
  expect(got.join("")).toBe("abcdef");
});

test("what comes while nobody listens is kept, and not overwritten by another socket's", async () => {
  const one = await usePair();
  const two = await usePair();
  one.near.read(0);
  one.far.write("one");
  await once(one.near, "readable");
  two.near.resume();
  two.far.write("two");
  await once(two.near, "data");
  expect(String(one.near.read())).toBe("one");
});

test("after the end of lending chunks can be kept", async () => {
  const { near, far, stop } = await usePair();
  far.write("lent");
  await once(near, "data");
  stop();
  const got: Buffer[] = [];
  near.on("data", (chunk: Buffer) => got.push(chunk));
  for (const text of ["first", "other"]) {
    far.write(text);
    await once(near, "data");
  }
  expect(got.map(String)).toEqual(["first", "other"]);
});

test("other streams are left as they are", () => {
  expect(lendReads(new PassThrough())).toBeUndefined();
  expect(lendReads(new Socket())).toBeUndefined();
  expect(lendReads(new TLSSocket(new PassThrough() as never))).toBeUndefined();
});
