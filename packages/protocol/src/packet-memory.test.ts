import { describe, expect, it } from "vitest";
import { PacketMemory } from "./packet-memory.ts";

const PACKET_BYTES = 32 * 1024;

function useMemory() {
  const sink = { writableLength: 0 };
  const memory = new PacketMemory(sink);
  const write = (mark: number): Buffer => {
    const packet = memory.take(PACKET_BYTES)!.fill(mark);
    sink.writableLength += packet.length;
    return packet;
  };
  return { sink, memory, write };
}

describe("memory for packets", () => {
  it("is used again once all packets are out", () => {
    const { sink, memory, write } = useMemory();
    const first = write(1);
    sink.writableLength = 0;
    const second = write(2);
    expect(second.buffer).toBe(first.buffer);
    expect(second.byteOffset).toBe(first.byteOffset);
    sink.writableLength = 0;
    memory.written();
    expect(write(3).buffer).toBe(first.buffer);
  });

  it("leaves a packet alone that is not out", () => {
    const { sink, memory, write } = useMemory();
    const packets = [1, 2, 3].map(write);
    sink.writableLength = 1;
    memory.written();
    packets.push(write(4));
    expect(packets.map((packet) => packet[0])).toEqual([1, 2, 3, 4]);
    expect(
      packets.every((packet) => packet.every((byte) => byte === packet[0])),
    ).toBe(true);
  });

  it("has an end: who sends more takes other memory", () => {
    const { memory, sink, write } = useMemory();
    let packets = 0;
    while (memory.take(PACKET_BYTES) !== undefined) {
      sink.writableLength = 1;
      packets++;
    }
    expect(packets).toBe(16);
    sink.writableLength = 0;
    expect(write(1)).toHaveLength(PACKET_BYTES);
  });

  it("is not shared by two connections at once", () => {
    const [a, b] = [useMemory(), useMemory()];
    expect(a.write(1).buffer).not.toBe(b.write(2).buffer);
  });
});
