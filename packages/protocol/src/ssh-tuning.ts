// Makes ssh2 fast, fair and small without a fork: changes from outside, the same at both ends. Measured on the whole
// chain they take small requests from 31,500 to 38,600 a second and from 0.50 to 0.31 CPU seconds per 10,000
// (docs/performance.md). This file knows ssh2 by its shape only; client/src/ssh and edge/src/ingress hand it the real
// thing, and a test beside each door fails when an upgrade of ssh2 breaks what is assumed here.
import { randomFillSync } from "node:crypto";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { owned } from "./bulk-reads.ts";
import { kept } from "./lent-reads.ts";
import { LEAST_SLAB_BYTES, PacketMemory } from "./packet-memory.ts";

/** What is assumed of ssh2's Channel (lib/Channel.js), beyond that it is a Duplex. */
export interface ChannelShape extends Duplex {
  incoming: { window: number; state: string };
  outgoing: {
    id: number;
    window: number;
    packetSize: number;
    state: string;
  };
  _client: { _protocol: { channelData(id: number, data: Buffer): void } };
  close(): void;
}

/** What is assumed of an ssh2 connection's protocol object (lib/protocol/Protocol.js). */
export interface ProtocolShape {
  _cipher: {
    allocPacket(payloadLength: number): Buffer;
    /** The same function for all ciphers of a connection. */
    readonly _onWrite: object;
  };
  /** What arrived of a packet's tag; each cipher has some of these. */
  _decipher: { _tag?: Buffer; _mac?: Buffer; _calcMac?: Buffer };
  /** The last key exchange; its keys are its own, and made anew for each. */
  _kex: { _keys?: unknown; finish: () => unknown } | undefined;
  /** What each side said that it is. */
  _identRaw: Buffer;
  _remoteIdentRaw: Buffer;
}

// With all of a turn in one call the other end has nothing to do until the turn is over, and then all at once: the two
// would take turns instead of working at the same time. With 4 to 16 the chain serves 15 to 20 % more small requests.
const PACKETS_AT_ONCE = 8;

/**
 * SSH packets of one turn of the event loop leave a few at a time instead of in a system call each. For sockets that
 * are handed to ssh2, before they are.
 */
export function batchWrites(socket: Socket): void {
  const write = socket.write.bind(socket) as Socket["write"];
  const memory = new PacketMemory(socket);
  memoryOf.set(socket, memory);
  let corked = false;
  let packets = 0;
  const flush = (): void => {
    corked = false;
    packets = 0;
    socket.uncork();
    memory.written();
  };
  socket.on("drain", () => memory.written());
  socket.write = ((...args: Parameters<typeof write>) => {
    if (!corked) {
      corked = true;
      socket.cork();
      setImmediate(flush);
    }
    const room = write(...args);
    if (++packets < PACKETS_AT_ONCE) return room;
    packets = 0;
    socket.uncork();
    socket.cork();
    return room;
  }) as Socket["write"];
}

// By the socket, and by what hands packets to it.
const memoryOf = new WeakMap<object, PacketMemory>();
const tuned = new WeakSet<object>();

/** Whether a stream is a channel of a tuned class: its `write` has taken a copy when it returns. */
export const isTuned = (stream: Duplex): boolean =>
  tuned.has(Object.getPrototypeOf(stream) as object);

/**
 * Takes the Duplex machinery out of the way while nothing is queued: a write becomes a packet and a packet becomes a
 * `data` event directly. And grants no more window after CLOSE: a WINDOW_ADJUST for a channel that is gone makes
 * x/crypto clients end the whole connection (RFC 4254 section 5.3 forbids it). Idempotent.
 */
export function tuneChannelClass(ChannelClass: {
  prototype: ChannelShape;
}): void {
  const { prototype } = ChannelClass;
  if (tuned.has(prototype)) return;
  tuned.add(prototype);
  const slowWrite = prototype.write;
  const slowPush = prototype.push;
  const plainClose = prototype.close;

  prototype.write = function write(
    this: ChannelShape,
    data: string | Buffer,
    encodingOrCallback?: unknown,
    callback?: unknown,
  ): boolean {
    const bytes =
      typeof data === "string"
        ? Buffer.from(
            data,
            typeof encodingOrCallback === "string"
              ? (encodingOrCallback as BufferEncoding)
              : "utf8",
          )
        : data;
    const done = (
      typeof encodingOrCallback === "function" ? encodingOrCallback : callback
    ) as (() => void) | undefined;
    const { outgoing } = this;
    const { length } = bytes;
    if (
      this.writableLength > 0 ||
      this.writableCorked > 0 ||
      this.writableEnded ||
      outgoing.state !== "open" ||
      this.destroyed ||
      length === 0 ||
      length > outgoing.window
    )
      return slowWrite.call(this, kept(bytes), "utf8", done);
    outgoing.window -= length;
    const { _protocol: protocol } = this._client;
    if (length <= outgoing.packetSize) {
      protocol.channelData(outgoing.id, bytes);
    } else {
      for (let at = 0; at < length; at += outgoing.packetSize)
        protocol.channelData(
          outgoing.id,
          bytes.subarray(at, Math.min(length, at + outgoing.packetSize)),
        );
    }
    // As a stream would: never inside the call that wrote.
    if (done) process.nextTick(done);
    return true;
  } as ChannelShape["write"];

  prototype.push = function push(
    this: ChannelShape,
    chunk: Buffer | null,
    encoding?: BufferEncoding,
  ): boolean {
    const state = (this as unknown as { _readableState: ReadState })
      ._readableState;
    if (
      chunk === null ||
      state.flowing !== true ||
      state.length > 0 ||
      state.ended ||
      state.sync ||
      state.decoder ||
      this.destroyed ||
      this.listenerCount("data") === 0
    )
      return slowPush.call(this, chunk && owned(chunk), encoding);
    // As the machinery does on every push: or a later resume() believes that a read is still under way, asks for
    // nothing, and the peer waits for a window for ever.
    state.reading = false;
    this.emit("data", chunk);
    return state.flowing;
  };

  prototype.close = function close(this: ChannelShape): void {
    plainClose.call(this);
    // ssh2 tops the window up when it has fallen below a half; this one never falls.
    if (this.outgoing.state !== "open" && this.outgoing.state !== "eof")
      this.incoming.window = Number.MAX_SAFE_INTEGER;
  };
}

interface ReadState {
  flowing: boolean | null;
  length: number;
  ended: boolean;
  reading: boolean;
  sync: boolean;
  /** Set by setEncoding(). */
  decoder: unknown;
}

/**
 * Takes padding bytes from a block of random bytes instead of asking the kernel's generator for each packet. RFC 4253
 * section 6 wants them arbitrary; every byte is still random and used once. Holds for all ciphers of that class, and so
 * for those of later key exchanges, which agree on the same one. Idempotent.
 *
 * Large packets are made in memory that is used again once they are out.
 *
 * @param protocol of a connection that encrypts
 * @param socket under it, whose writes are batched
 */
export function poolPadding(protocol: ProtocolShape, socket: object): void {
  const memory = memoryOf.get(socket);
  // What writes is the connection's, and all of its ciphers have it.
  if (memory) memoryOf.set(protocol._cipher._onWrite, memory);
  // The class rather than the connection: a property that watches for new ciphers turns ssh2's largest object into a
  // dictionary, of 1.6 KB for each connection.
  const prototype = Object.getPrototypeOf(protocol._cipher) as PooledCipher;
  if (tuned.has(prototype)) return;
  tuned.add(prototype);
  const plain = prototype.allocPacket;
  prototype.allocPacket = function allocPooled(payloadLength) {
    const layout = (this[LAYOUT] ??= probeLayout((length) =>
      plain.call(this, length),
    ));
    if (layout === UNKNOWN) return plain.call(this, payloadLength);
    const { block, counted, trailer } = layout;
    let padding = block - ((counted + payloadLength) & (block - 1));
    if (padding < 4) padding += block;
    const length = 5 + payloadLength + padding;
    const packet = allocate(this, length + trailer);
    packet.writeUInt32BE(length - 4, 0);
    packet[4] = padding;
    fillRandom(packet, 5 + payloadLength, padding);
    return packet;
  };
}

// Memory of its own for each of the large packets costs more than their encryption.
function allocate(cipher: PooledCipher, bytes: number): Buffer {
  const memory =
    bytes < LEAST_SLAB_BYTES ? undefined : memoryOf.get(cipher._onWrite);
  return memory?.take(bytes) ?? Buffer.allocUnsafe(bytes);
}

const LAYOUT = Symbol("layout");

interface PooledCipher {
  [LAYOUT]?: Layout;
  readonly _onWrite: object;
  allocPacket(payloadLength: number): Buffer;
}

interface Layout {
  readonly block: number;
  /** Bytes that count towards the block. */
  readonly counted: number;
  /** Bytes kept for a tag. */
  readonly trailer: number;
}

// As few objects as there are layouts, not one for each cipher.
const LAYOUTS: readonly Layout[] = [8, 16].flatMap((block) =>
  [1, 5].flatMap((counted) =>
    [0, 16].map((trailer) => ({ block, counted, trailer })),
  ),
);
const UNKNOWN: Layout = { block: 0, counted: 0, trailer: 0 };

// Which of ssh2's ciphers this is, told by what it allocates. UNKNOWN when nothing fits: then ssh2's own way stays.
function probeLayout(allocPacket: (payloadLength: number) => Buffer): Layout {
  const samples = [0, 1, 5, 11, 12, 27, 100].map((payload) => ({
    payload,
    packet: allocPacket(payload),
  }));
  const fits = ({ block, counted, trailer }: Layout): boolean =>
    samples.every(({ payload, packet }) => {
      let padding = block - ((counted + payload) & (block - 1));
      if (padding < 4) padding += block;
      return (
        packet[4] === padding &&
        packet.readUInt32BE(0) === 1 + payload + padding &&
        packet.length === 5 + payload + padding + trailer
      );
    });
  return LAYOUTS.find(fits) ?? UNKNOWN;
}

const POOL_BYTES = 64 * 1024;
const pool = Buffer.allocUnsafe(POOL_BYTES);
let poolOffset = POOL_BYTES;

function fillRandom(target: Buffer, offset: number, length: number): void {
  if (poolOffset + length > POOL_BYTES) {
    randomFillSync(pool);
    poolOffset = 0;
  }
  pool.copy(target, offset, poolOffset, poolOffset + length);
  poolOffset += length;
}

/**
 * Lets go of what a connection keeps of its key exchange and never looks at again: the key pair, and the secret that was
 * agreed on, which the function that finished the exchange still holds. And of the blocks of 8 KiB of Node's buffer pool
 * that lie under the few bytes of each side's software version and of a cipher's tag. To be called after each key exchange.
 */
export function forgetKeyExchange(protocol: ProtocolShape): void {
  if (protocol._kex) {
    protocol._kex._keys = null;
    protocol._kex.finish = finishedBefore;
  }
  // The next key exchange hashes them.
  protocol._identRaw = sharedIdent(protocol._identRaw);
  protocol._remoteIdentRaw = sharedIdent(protocol._remoteIdentRaw);
  const { _decipher: decipher } = protocol;
  for (const name of ["_tag", "_mac", "_calcMac"] as const) {
    const bytes = decipher[name];
    if (bytes !== undefined) decipher[name] = ownCopy(bytes);
  }
}

// ssh2 finishes an exchange once, and refuses a second end of it before it asks for that.
function finishedBefore(): never {
  throw new Error("The key exchange has finished.");
}

function ownCopy(bytes: Buffer): Buffer {
  const copy = Buffer.allocUnsafeSlow(bytes.length);
  bytes.copy(copy);
  return copy;
}

const MAX_SHARED_IDENTS = 8;
const sharedIdents: Buffer[] = [];

// The same few programs connect again and again.
function sharedIdent(ident: Buffer): Buffer {
  const known = sharedIdents.find((other) => other.equals(ident));
  if (known) return known;
  const copy = ownCopy(ident);
  sharedIdents.unshift(copy);
  sharedIdents.splice(MAX_SHARED_IDENTS);
  return copy;
}
