// Lets a socket read into memory that we choose. Node has that for sockets that it connects itself (`onread` of
// net.connect), and not for those that it accepts, nor later: its private names are looked up.
import type { Duplex } from "node:stream";

/**
 * From the next read on.
 *
 * @param stream connected; sockets of TLS and other streams are left as they are
 * @param memory for the next read
 * @param arrived told of each read, how many bytes of the memory it filled; false stops reading until somebody reads on
 * @param next memory for the read after each; absent: the same
 * @returns false when this Node works differently inside, and then nothing has changed
 */
export function readInto(
  stream: Duplex,
  memory: Buffer,
  arrived: (bytes: number) => boolean,
  next: (() => Buffer) | null = null,
): boolean {
  // A TLS socket reads from another one.
  if ("encrypted" in stream) return false;
  const socket = stream as unknown as ReadingSocket;
  if (typeof socket._handle?.useUserBuffer !== "function") return false;
  const keys = (known ??= keysOf(socket));
  if (keys === undefined) return false;
  socket[keys.buffer] = memory;
  socket[keys.callback] = arrived;
  socket[keys.next] = next;
  socket._handle.useUserBuffer(memory);
  return true;
}

interface ReadingSocket {
  readonly _handle?: { useUserBuffer?(memory: Buffer): void } | null;
  [key: symbol]: unknown;
}

interface Keys {
  readonly buffer: symbol;
  readonly callback: symbol;
  readonly next: symbol;
}

let known: Keys | undefined;

function keysOf(socket: object): Keys | undefined {
  const symbols = Object.getOwnPropertySymbols(socket);
  const named = (name: string): symbol | undefined =>
    symbols.find(({ description }) => description === name);
  const buffer = named("kBuffer");
  const callback = named("kBufferCb");
  const next = named("kBufferGen");
  return buffer && callback && next && { buffer, callback, next };
}
