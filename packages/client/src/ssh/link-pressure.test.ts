import { Writable, Duplex } from "node:stream";
import { describe, expect, it } from "vitest";
import { watchPressure } from "./link-pressure.ts";

const KIB = 1024;

// A line that takes nothing until it is told to.
function slowLine() {
  let release: (() => void) | undefined;
  const stream = new Duplex({
    read() {},
    write: (_chunk, _encoding, done) => (release = done),
  });
  return { stream, take: () => release?.() };
}

describe("the pressure of a link", () => {
  it("is full at 256 KiB and calls back once when all of it has left", async () => {
    const { stream, take } = slowLine();
    const link = watchPressure(stream, undefined);
    stream.write(Buffer.alloc(200 * KIB));
    expect(link.isFull()).toBe(false);
    stream.write(Buffer.alloc(56 * KIB));
    expect(link.isFull()).toBe(true);
    let calls = 0;
    const drained = new Promise<void>((resolve) =>
      link.onceDrained(() => {
        calls++;
        resolve();
      }),
    );
    take();
    await new Promise(setImmediate);
    expect(calls).toBe(0);
    take();
    await drained;
    stream.write(Buffer.alloc(300 * KIB));
    take();
    await new Promise(setImmediate);
    expect(calls).toBe(1);
  });

  it("calls back when the link closes, or was never full", async () => {
    const { stream } = slowLine();
    const link = watchPressure(stream, undefined);
    await new Promise<void>((resolve) => link.onceDrained(resolve));
    stream.write(Buffer.alloc(300 * KIB));
    const closed = new Promise<void>((resolve) => link.onceDrained(resolve));
    stream.destroy();
    await closed;
    await new Promise<void>((resolve) => link.onceDrained(resolve));
  });

  it("counts the link below, as through a jump host", async () => {
    const outer = slowLine();
    const below = watchPressure(outer.stream, undefined);
    const inner = slowLine();
    const link = watchPressure(inner.stream, below);
    outer.stream.write(Buffer.alloc(300 * KIB));
    expect(link.isFull()).toBe(true);
    let isDrained = false;
    const drained = new Promise<void>((resolve) => link.onceDrained(resolve));
    void drained.then(() => (isDrained = true));
    await new Promise(setImmediate);
    expect(isDrained).toBe(false);
    outer.take();
    await drained;
    expect(link.isFull()).toBe(false);
  });

  it("is never full below the mark at which the stream says that it has drained", () => {
    const stream = new Writable({
      highWaterMark: 2_048 * KIB,
      write() {},
    });
    const link = watchPressure(stream as unknown as Duplex, undefined);
    stream.write(Buffer.alloc(2_000 * KIB));
    expect(link.isFull()).toBe(false);
    stream.write(Buffer.alloc(48 * KIB));
    expect(link.isFull()).toBe(true);
    expect(stream.writableNeedDrain).toBe(true);
  });
});
