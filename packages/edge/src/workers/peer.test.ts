import { mkdtempSync, rmSync, statSync } from "node:fs";
import { connect } from "node:net";
import { once } from "node:events";
import { duplexPair, type Duplex } from "node:stream";
import { text } from "node:stream/consumers";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { EdgeError } from "../errors.ts";
import type { Forward, Visitor } from "../ingress/forward.ts";
import { openPeerDoor } from "./peer-door.ts";
import { PeerForward } from "./peer-forward.ts";

const VISITOR: Visitor = { address: "198.51.100.7", port: 4711 };

it("joins a connection with the forward in the other process, which hears for whom it is", async () => {
  const { reach, forwards } = await useDoor();
  const client = forwards.add();
  const { stream, link } = await reach(client.number).connect(VISITOR);
  expect(link).toBeUndefined();
  const end = client.ends[0]!;
  expect(client.visitors).toEqual([VISITOR]);
  stream.end("question");
  expect(await readText(end)).toBe("question");
  end.end("answer");
  expect(await readText(stream)).toBe("answer");
});

it("gives the connection up when the other side has", async () => {
  const { reach, forwards } = await useDoor();
  const client = forwards.add();
  const { stream } = await reach(client.number).connect(VISITOR);
  stream.resume();
  client.ends[0]!.resume();
  // What the forward gave to the door: an SSH channel ends like this when its client vanishes.
  client.channels[0]!.destroy();
  const [error] = (await once(stream, "error")) as [NodeJS.ErrnoException];
  expect(error.code).toBe("ECONNRESET");
  const second = await reach(client.number).connect(VISITOR);
  second.stream.destroy();
  await once(client.channels[1]!, "close");
});

it("says which side failed", async () => {
  const { reach, forwards } = await useDoor();
  const client = forwards.add();
  await expect(reach(99).connect(VISITOR)).rejects.toMatchObject({
    code: "forward-failed",
    upstreamDown: false,
  });
  client.fails = new EdgeError("forward-failed", "no", { upstreamDown: true });
  await expect(reach(client.number).connect(VISITOR)).rejects.toMatchObject({
    upstreamDown: true,
  });
});

it("rejects when the other process is gone, and when the forward has ended", async () => {
  const { reach, forwards, close } = await useDoor();
  const client = forwards.add();
  const forward = reach(client.number);
  close();
  await expect(forward.connect(VISITOR)).rejects.toMatchObject({
    code: "forward-failed",
  });
  let told = 0;
  forward.onceClosed(() => told++);
  forward.markClosed();
  forward.markClosed();
  expect([told, forward.closed]).toEqual([1, true]);
  await expect(forward.connect(VISITOR)).rejects.toThrow("ended");
});

it("lets in only who knows the secret, and talks to nobody else", async () => {
  const { reach, path, forwards } = await useDoor();
  const client = forwards.add();
  await expect(
    reach(client.number, "wrong").connect(VISITOR),
  ).rejects.toMatchObject({ code: "forward-failed" });
  for (const bytes of [
    "\0\0\0\x03{}\n",
    "\0\0\0\x05null\n",
    "GET / HTTP/1.1\r\n\r\n",
  ]) {
    const socket = connect(path);
    onTestFinished(() => void socket.destroy());
    socket.on("error", () => {});
    socket.write(bytes);
    expect(await text(socket).catch(() => "")).toBe("");
  }
  expect(client.visitors).toEqual([]);
  expect(statSync(join(path, "..")).mode & 0o777).toBe(0o700);
});

// Without destroying the stream, as text() does: its other direction goes on.
async function readText(stream: Duplex): Promise<string> {
  let result = "";
  for await (const chunk of stream.iterator({ destroyOnReturn: false }))
    result += String(chunk);
  return result;
}

class FakeForward implements Forward {
  readonly port = 40_000;
  readonly closed = false;
  readonly visitors: Visitor[] = [];
  readonly ends: Duplex[] = [];
  readonly channels: Duplex[] = [];
  fails: Error | undefined;
  readonly number: number;

  constructor(number: number) {
    this.number = number;
  }

  connect(visitor: Visitor) {
    if (this.fails) return Promise.reject(this.fails);
    this.visitors.push(visitor);
    const [stream, end] = duplexPair();
    for (const side of [stream, end]) side.on("error", () => {});
    this.ends.push(end);
    this.channels.push(stream);
    return Promise.resolve({ stream, link: undefined });
  }

  onceClosed() {
    return () => {};
  }
}

async function useDoor() {
  const folder = mkdtempSync(join(tmpdir(), "expose-peer-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const path = join(folder, "1.sock");
  const all = new Map<number, FakeForward>();
  const door = await openPeerDoor({
    path,
    secret: "the secret",
    find: (number) => all.get(number),
  });
  onTestFinished(() => door.close());
  return {
    path,
    close: () => door.close(),
    forwards: {
      add(): FakeForward {
        const forward = new FakeForward(all.size + 1);
        all.set(forward.number, forward);
        return forward;
      },
    },
    reach: (forward: number, secret = "the secret") =>
      new PeerForward({ path, secret, forward, port: 40_000 }),
  };
}
