// Bodies larger than memory should be. What one side does not read must wait on the other side, not in the edge.
import { once } from "node:events";
import http from "node:http";
import { Duplex } from "node:stream";
import { expect, test } from "vitest";
import type { Forward } from "../ingress/forward.ts";
import {
  request,
  useEdge,
  useHttpUpstream,
  useRawUpstream,
} from "./edge.fixture.ts";

const MIB = 1024 * 1024;
// Kernel buffers on loopback take a few MiB, which are not the edge's.
const IN_KERNEL = 12 * MIB;

/** Waits until a counter has stood still for a while, and returns it. */
async function settled(read: () => number): Promise<number> {
  for (let last = -1, same = 0; ;) {
    await new Promise((resolve) => setTimeout(resolve, 20));
    const now = read();
    same = now === last ? same + 1 : 0;
    last = now;
    if (same === 10) return now;
  }
}

test.each(["with a length", "in chunks"])(
  "an upload %s waits at the visitor while the upstream does not read",
  async (framing) => {
    const upstream = await useRawUpstream((wire) => wire.socket.pause());
    const { port, edge } = await useEdge(upstream.port);
    const size = 64 * MIB;
    const outgoing = http.request({
      ...{ port, host: "127.0.0.1", method: "PUT", agent: false },
      headers: {
        Host: "app.test",
        ...(framing === "in chunks"
          ? { "Transfer-Encoding": "chunked" }
          : { "Content-Length": size }),
      },
    });
    const socketOf = once(outgoing, "socket");
    outgoing.on("error", () => {});
    const piece = Buffer.alloc(MIB);
    let written = 0;
    const fill = (): void => {
      while (written < size) {
        written += MIB;
        if (!outgoing.write(piece)) break;
      }
    };
    outgoing.on("drain", fill);
    fill();
    await socketOf;
    const stuck = await settled(() => written);
    expect(stuck).toBeLessThan(size);
    expect(stuck).toBeLessThan(2 * IN_KERNEL);
    // And goes on when it reads.
    const wire = upstream.wires[0]!;
    wire.socket.removeAllListeners("data");
    let received = 0;
    wire.socket.on("data", (text: string) => (received += text.length));
    wire.socket.resume();
    while (written < size) await once(outgoing, "drain");
    outgoing.end();
    while (received < size) await once(wire.socket, "data");
    wire.write("HTTP/1.1 204 X\r\nConnection: close\r\n\r\n");
    await once(outgoing, "response");
    expect(edge.stats().requests).toBe(0);
  },
);

test.each(["with a length", "in chunks", "until the end"])(
  "a download %s waits at the upstream while the visitor does not read",
  async (framing) => {
    const size = 64 * MIB;
    let written = 0;
    const upstream = await useHttpUpstream((_request, response) => {
      if (framing === "with a length")
        response.setHeader("Content-Length", size);
      if (framing === "until the end") {
        response.useChunkedEncodingByDefault = false;
        response.setHeader("Connection", "close");
      }
      const piece = Buffer.alloc(MIB);
      const fill = (): void => {
        while (written < size) {
          written += MIB;
          if (!response.write(piece)) break;
        }
        if (written >= size) response.end();
      };
      response.on("drain", fill);
      fill();
    });
    const { connect } = await useEdge(upstream.port);
    const wire = await connect();
    wire.socket.removeAllListeners("data");
    wire.socket.pause();
    wire.write(request("GET", "/"));
    const stuck = await settled(() => written);
    expect(stuck).toBeGreaterThan(0);
    expect(stuck).toBeLessThan(2 * IN_KERNEL);
    let received = 0;
    wire.socket.on("data", (text: string) => (received += text.length));
    wire.socket.resume();
    while (received < size) await once(wire.socket, "data");
    expect(written).toBe(size);
  },
);

test("an upload feels the pressure of the SSH link under its channel", async () => {
  const upstream = await useRawUpstream();
  const { connect, forward } = await useEdge(upstream.port);
  let full = false;
  const drained: (() => void)[] = [];
  const connectTcp = forward.connect.bind(forward);
  const channels: Forward["connect"] = async (visitor) => {
    const { stream: socket } = await connectTcp(visitor);
    return {
      stream: Duplex.from({ readable: socket, writable: socket }),
      link: {
        isFull: () => full,
        onceDrained: (callback) => drained.push(callback),
      },
    };
  };
  Object.assign(forward, { connect: channels });
  const wire = await connect();
  wire.write(request("POST", "/", ["Content-Length: 30"], "a".repeat(10)));
  const server = await upstream.wire();
  await server.until(/a{10}$/);
  full = true;
  // The piece that finds the link full still goes; the next one waits.
  wire.write("b".repeat(10));
  await server.until(/b{10}$/);
  while (drained.length === 0) await new Promise(setImmediate);
  wire.write("c".repeat(10));
  // Had it gone out, it would have been there before what is asked now.
  const other = await connect();
  other.write(request("GET", "/"));
  await (await upstream.wire(1)).until("\r\n\r\n");
  expect(server.text).not.toMatch(/c{10}/);
  full = false;
  for (const callback of drained.splice(0)) callback();
  await server.until(/c{10}$/);
});

test("memory does not grow with what passes", async () => {
  const upstream = await useHttpUpstream((incoming, response) =>
    incoming.pipe(response),
  );
  const { port, record } = await useEdge(upstream.port);

  // What a first transfer takes (buffers of this process, which is edge, upstream and visitor) is no growth.
  const few = await peakOfPassing(50 * MIB, 0);
  const many = await peakOfPassing(250 * MIB, 1);
  expect(many - few).toBeLessThan(80 * MIB);

  async function peakOfPassing(size: number, index: number): Promise<number> {
    const piece = Buffer.alloc(MIB);
    let peak = 0;
    const outgoing = http.request({
      ...{ port, host: "127.0.0.1", method: "POST", agent: false },
      headers: { Host: "app.test", "Transfer-Encoding": "chunked" },
    });
    const answered = once(outgoing, "response");
    void (async () => {
      for (let sent = 0; sent < size; sent += MIB)
        if (!outgoing.write(piece)) await once(outgoing, "drain");
      outgoing.end();
    })();
    const [response] = (await answered) as [http.IncomingMessage];
    for await (const part of response) {
      void part;
      peak = Math.max(peak, process.memoryUsage.rss());
    }
    expect(await record(index)).toMatchObject({
      bytesIn: size,
      bytesOut: size,
    });
    return peak;
  }
});
