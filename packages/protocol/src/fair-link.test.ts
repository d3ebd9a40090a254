import { describe, expect, it } from "vitest";
import { createFairLink } from "./fair-link.ts";

const PIECE = 64 * 1024;
const turns = async (count: number): Promise<void> => {
  for (let i = 0; i < count; i++) await new Promise(setImmediate);
};

/** Streams that bring one piece when they are woken and wait again. */
function useSenders(names: string[], room: () => number) {
  const link = createFairLink(room);
  const sent: string[] = [];
  const join = (name: string, send: (bytes: number) => void): void =>
    link.onceDrained(() => {
      sent.push(name);
      setImmediate(() => {
        send(PIECE);
        join(name, send);
      });
    });
  return {
    link,
    sent,
    begin: (send: (bytes: number) => void) => {
      for (const name of names) join(name, send);
    },
  };
}

describe("a link that is full", () => {
  it("lets those who wait send one piece each, in turn", async () => {
    let room = 0;
    const senders = useSenders(["a", "b", "c"], () => room);
    senders.begin((bytes) => (room -= bytes));
    for (let i = 0; i < 6; i++) {
      room = PIECE;
      senders.link.wake();
      await turns(6);
    }
    expect(senders.sent.join("")).toBe("abcabc");
  });

  it("wakes as many as there is room for, and never more than eight at once", async () => {
    let room = 0;
    const link = createFairLink(() => room);
    let woken = 0;
    for (let i = 0; i < 30; i++) link.onceDrained(() => woken++);
    room = 3 * PIECE;
    link.wake();
    expect(woken).toBe(3);
    room = 0;
    await turns(4);
    expect(woken).toBe(3);
    room = 100 * PIECE;
    link.wake();
    expect(woken).toBe(11);
    await turns(8);
    expect(woken).toBe(30);
  });

  it("is so for each of its reasons", () => {
    let socket = 1;
    let path = 1;
    let isBelowFull = false;
    const drained: (() => void)[] = [];
    const link = createFairLink(() => socket, {
      isFull: () => isBelowFull,
      onceDrained: (callback) => void drained.push(callback),
    });
    link.limitBy(() => path);
    expect(link.isFull()).toBe(false);
    socket = 0;
    expect(link.isFull()).toBe(true);
    socket = 1;
    path = -5;
    expect(link.isFull()).toBe(true);
    path = 1;
    isBelowFull = true;
    expect(link.isFull()).toBe(true);
    const woken: number[] = [];
    link.onceDrained(() => woken.push(1));
    link.onceDrained(() => woken.push(2));
    // Asked once, not for each who waits.
    expect(drained).toHaveLength(1);
    isBelowFull = false;
    socket = 3 * PIECE;
    path = PIECE + 1;
    drained[0]!();
    expect(woken).toEqual([1, 2]);
  });

  it("calls everyone back when it closes, and at once from then on", () => {
    const link = createFairLink(() => 0);
    let woken = 0;
    for (let i = 0; i < 20; i++) link.onceDrained(() => woken++);
    link.close();
    expect([woken, link.isFull()]).toEqual([20, false]);
    link.onceDrained(() => woken++);
    expect(woken).toBe(21);
  });
});
