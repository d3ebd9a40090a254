// The one door to what ssh2 keeps private. ssh2 checks little of what a peer sends; this puts the missing checks in
// front of its message handlers, connection by connection and without a fork. ssh2-door.test.ts fails when an upgrade
// of ssh2 breaks what is assumed here.
import type { Socket } from "node:net";
import { Writable } from "node:stream";
import type { Connection, Server, ServerChannel } from "ssh2";
import {
  forgetKeyExchange,
  poolPadding,
  steerFlow,
  tuneChannelClass,
  type ChannelShape,
  type ConnectionShape,
  type FairLink,
  type Flow,
  type ProtocolShape,
  type WindowBudget,
} from "@expose/protocol";
import { escapeControls } from "../../util/escape.ts";

/** Reasons for a disconnect (RFC 4253 section 11.1). */
export const disconnectReasons = {
  protocolError: 2,
  byApplication: 11,
  tooManyConnections: 12,
  noMoreAuthMethods: 14,
} as const;

/** A channel of ssh2's server, with the parts that its types leave out. */
export interface PrivateChannel extends ServerChannel {
  readonly incoming: ChannelEnd;
  readonly outgoing: ChannelEnd;
  /** What `_write` could not send for want of window, and the callback that waits for it. Left in place afterwards. */
  _chunk: Buffer | undefined;
  _chunkcb: ((error?: Error) => void) | undefined;
}

interface ChannelEnd {
  /** On `incoming` our number of the channel, on `outgoing` the peer's. */
  readonly id: number;
  window: number;
  state: "open" | "eof" | "closing" | "closed";
}

/** What the door tells about a channel that was adopted. */
export interface AdoptedChannel {
  readonly channel: PrivateChannel;
  /** The peer has closed the channel. */
  peerClosed(): void;
  /** The connection is gone. */
  connectionLost(): void;
}

/** One connection, seen from inside. */
export interface Door {
  readonly socket: Socket;
  /** Whether a key exchange is under way: ssh2 then holds packets back, outside of the socket's count. */
  isRekeying(): boolean;
  /** How many channels exist for either side: open ones, and those that we closed and the peer has not. */
  countChannels(): number;
  /** Channels that are open for both sides. */
  channels(): PrivateChannel[];
  /** Asks the client for a sign of life (`keepalive@openssh.com`). */
  ping(): void;
  /** Starts a key exchange. */
  rekey(): void;
  /**
   * From the login on: sizes what is on its way by what the line carries. The link is told when there is enough.
   * @param budget what the receive windows of this connection may grow by
   */
  steer(link: FairLink, budget: WindowBudget): void;
  /**
   * Says why and goodbye; ssh shows the text. Does not close the socket.
   * @param text cut at 255 bytes; control characters are escaped
   */
  disconnect(reason: number, text: string): void;
  /** Takes charge of a channel: from now on ssh2 does not close it by itself. */
  adopt(adopted: AdoptedChannel): void;
  /** Forgets a channel that we closed, buffers included: a peer that never answers with its own CLOSE keeps none. */
  retire(channel: PrivateChannel): void;
  /** Tells each adopted channel that the connection is gone, before ssh2 does it in its own way. */
  loseChannels(): void;
}

// A packet carries at least 36 bytes around its data, so a client that asks for tiny packets makes the edge work
// thirty times as hard; one that asks for packets of 0 bytes makes ssh2's Channel._write loop for ever. OpenSSH asks
// for 32 KiB, Dropbear and PuTTY for no less than 16.
const MIN_PACKET_BYTES = 1_024;

// Packets that ssh2 holds back during a key exchange. A client may stall one, and ask for replies all the while.
const MAX_HELD_PACKETS = 10_000;

/**
 * Opens the door to a connection and puts the guards in place.
 *
 * @param maxQueuedBytes bytes that may wait in the socket when the client asks for a reply
 * @param violated called at most once, when the client broke the protocol; must end the connection
 * @throws TypeError when ssh2 does not look as expected
 */
export function openDoor(
  connection: Connection,
  maxQueuedBytes: number,
  violated: (what: string) => void,
): Door {
  const inner = connection as unknown as PrivateConnection;
  checkShape(inner);
  const { _sock: socket, _protocol: protocol, _chanMgr: manager } = inner;
  const handlers = protocol._handlers;
  const live = new Map<number, AdoptedChannel>();
  const retired = new Set<number>();
  // Who waits for an answer to a ping, in order. ssh2's server sends requests and listens to no answer.
  const answers: (() => void)[] = [];
  let flow: Flow | undefined;
  let broken = false;

  // Throwing makes ssh2 stop in the middle of what it parses; it turns the error into an 'error' event.
  function violate(what: string): never {
    if (!broken) {
      broken = true;
      violated(what);
    }
    throw new Error(what);
  }

  // Each of these makes ssh2 write a reply. A client that reads none of them would fill the memory.
  function checkRequest(): void {
    if (!connection.authenticated) violate("Requests before the login.");
    if (
      socket.writableLength > maxQueuedBytes ||
      (protocol._queue?.length ?? 0) > MAX_HELD_PACKETS
    )
      violate("Requests without reading the replies.");
  }

  const onGlobalRequest = handlers.GLOBAL_REQUEST;
  handlers.GLOBAL_REQUEST = (...fields) => {
    checkRequest();
    onGlobalRequest(...fields);
  };

  const onChannelRequest = handlers.CHANNEL_REQUEST;
  handlers.CHANNEL_REQUEST = (...fields) => {
    checkRequest();
    onChannelRequest(...fields);
  };

  const onOpen = handlers.CHANNEL_OPEN;
  handlers.CHANNEL_OPEN = (peer, info) => {
    checkRequest();
    if (info.packetSize < MIN_PACKET_BYTES) violate("Packets too small.");
    onOpen(peer, info);
  };

  const onConfirmation = handlers.CHANNEL_OPEN_CONFIRMATION;
  handlers.CHANNEL_OPEN_CONFIRMATION = (peer, info) => {
    if (info.packetSize < MIN_PACKET_BYTES) violate("Packets too small.");
    onConfirmation(peer, info);
  };

  // ssh2 refuses data only when the window is exactly 0 and lets it go below that (mscdex/ssh2#1505): one client made
  // it buffer 875 MB in four seconds. RFC 4254 section 5.2.
  const onData = handlers.CHANNEL_DATA;
  handlers.CHANNEL_DATA = (peer, recipient, data) => {
    const channel = live.get(recipient)?.channel;
    // Not started yet, or closed by us: nobody reads it, and ssh2 would not either.
    if (channel === undefined) return;
    if (data.length > channel.incoming.window)
      violate("More data than the window allows.");
    if (channel.incoming.state !== "open") violate("Data after the end.");
    onData(peer, recipient, data);
  };

  // ssh2 would end the channel's writing side, lose the callbacks of its writes, and report the close only when all
  // has been read. Sessions that never became a shell or a command it neither answers nor forgets.
  const onClose = handlers.CHANNEL_CLOSE;
  handlers.CHANNEL_CLOSE = (peer, recipient) => {
    const adopted = live.get(recipient);
    if (adopted !== undefined) {
      live.delete(recipient);
      manager.remove(recipient);
      adopted.peerClosed();
    } else if (retired.delete(recipient)) {
      manager.remove(recipient);
    } else {
      const session = manager.get(recipient);
      onClose(peer, recipient);
      if (isIdleSession(session)) {
        protocol.channelClose(session._chanInfo.outgoing.id);
        manager.remove(recipient);
      }
    }
  };

  const onAnswer = (): void => answers.shift()?.();
  handlers.REQUEST_SUCCESS = onAnswer;
  handlers.REQUEST_FAILURE = onAnswer;

  function ping(onReply: () => void): void {
    answers.push(onReply);
    protocol.ping();
  }

  return {
    socket,
    isRekeying: () => protocol._kexinit !== undefined,
    countChannels: () => live.size + retired.size,
    channels: () => [...live.values()].map(({ channel }) => channel),
    ping() {
      ping(() => {});
    },
    rekey() {
      connection.rekey();
    },
    steer(link, budget) {
      flow = steerFlow(connection as unknown as ConnectionShape, {
        ...{ ping, link, budget, side: "server" },
        now: () => performance.now(),
        violated: () => violate("More data than the window allows."),
      });
    },
    disconnect(reason, text) {
      // After a fatal error ssh2 has said its own goodbye and cannot send any more.
      if (protocol._destruct === undefined || !socket.writable) return;
      // The writer for key exchanges, as in ssh2's own disconnect(): this one may not be held back.
      const writer = protocol._packetRW.write;
      const payload = encodeDisconnect(reason, text);
      const packet = writer.alloc(payload.length, true);
      packet.set(payload, writer.allocStartKEX);
      protocol._cipher.encrypt(writer.finalize(packet, true));
    },
    adopt(adopted) {
      const { channel } = adopted;
      live.set(channel.incoming.id, adopted);
      if (channel.type !== "session") flow?.adopt(channel);
    },
    retire(channel) {
      const { id } = channel.incoming;
      if (!live.delete(id)) return;
      retired.add(id);
      // What ssh2 itself puts in for a number that is reserved: every handler passes it over.
      manager.update(id, true);
    },
    loseChannels() {
      for (const adopted of live.values()) adopted.connectionLost();
      live.clear();
      retired.clear();
    },
  };
}

/** Makes a connection of a socket. The server tells of it when the peer has said which software it is. */
export function injectSocket(server: Server, socket: Socket): void {
  // ssh2 keeps some bytes of our own software version for as long as the connection lives, and with them the block of
  // 8 KiB of Node's pool that they come from.
  const { poolSize } = Buffer;
  Buffer.poolSize = 0;
  try {
    server.injectSocket(socket);
  } finally {
    Buffer.poolSize = poolSize;
  }
}

/** The socket under a connection of ssh2's server. */
export function socketOf(connection: Connection): Socket {
  return (connection as unknown as PrivateConnection)._sock;
}

/** Makes the packets of a connection cheap, from now on. */
export function tunePackets(connection: Connection): void {
  poolPadding(
    (connection as unknown as { _protocol: ProtocolShape })._protocol,
    socketOf(connection),
  );
}

/** Makes the channels of ssh2 fast, once for all; told by one of them, since ssh2 does not export their class. */
export function tuneChannels(channel: PrivateChannel): void {
  tuneChannelClass({
    prototype: Object.getPrototypeOf(channel) as ChannelShape,
  });
}

/** Frees what a connection keeps of its login or its last key exchange. */
export function forgetHandshake(connection: Connection): void {
  forgetKeyExchange(
    (connection as unknown as { _protocol: ProtocolShape })._protocol,
  );
}

/**
 * Takes away the second writing side of a channel that has none on the wire: ssh2 makes one for each, with buffers and
 * listeners, and asks it no more than whether it is writable.
 */
export function dropStderr(channel: PrivateChannel): void {
  (channel as { stderr: Writable }).stderr = NO_STDERR;
}

const NO_STDERR = new Writable().on("error", () => {}).destroy();

// SSH_MSG_DISCONNECT (RFC 4253 section 11.1); ssh2's own has no room for a text.
function encodeDisconnect(reason: number, text: string): Buffer {
  const description = Buffer.from(escapeControls(text)).subarray(0, 255);
  const payload = Buffer.alloc(1 + 4 + 4 + description.length + 4);
  payload[0] = 1;
  payload.writeUInt32BE(reason, 1);
  payload.writeUInt32BE(description.length, 5);
  payload.set(description, 9);
  return payload;
}

function isIdleSession(entry: unknown): entry is PrivateSession {
  return (
    typeof entry === "object" &&
    entry !== null &&
    "_chanInfo" in entry &&
    (entry as PrivateSession)._channel === undefined
  );
}

function checkShape(inner: PrivateConnection): void {
  const { _protocol: protocol, _chanMgr: manager } = inner;
  const missing = [
    ...Object.entries({
      _sock: inner._sock,
      _protocol: protocol,
      _chanMgr: manager,
    }),
    ...Object.entries({
      ping: protocol?.ping,
      channelClose: protocol?.channelClose,
      alloc: protocol?._packetRW?.write?.alloc,
      finalize: protocol?._packetRW?.write?.finalize,
      encrypt: protocol?._cipher?.encrypt,
      get: manager?.get,
      update: manager?.update,
      remove: manager?.remove,
      GLOBAL_REQUEST: protocol?._handlers?.GLOBAL_REQUEST,
      CHANNEL_REQUEST: protocol?._handlers?.CHANNEL_REQUEST,
      CHANNEL_OPEN: protocol?._handlers?.CHANNEL_OPEN,
      CHANNEL_OPEN_CONFIRMATION: protocol?._handlers?.CHANNEL_OPEN_CONFIRMATION,
      CHANNEL_DATA: protocol?._handlers?.CHANNEL_DATA,
      CHANNEL_CLOSE: protocol?._handlers?.CHANNEL_CLOSE,
      channelData: protocol?.channelData,
      channelWindowAdjust: protocol?.channelWindowAdjust,
      forwardedTcpip: protocol?.forwardedTcpip,
    }).map(
      ([name, value]) =>
        [name, typeof value === "function" ? value : undefined] as const,
    ),
  ].filter(([, value]) => value === undefined);
  if (missing.length > 0)
    throw new TypeError(
      `This release of ssh2 has no ${missing.map(([name]) => name).join(", ")} where ssh2-door.ts expects it.`,
    );
}

interface PrivateConnection {
  readonly _sock: Socket;
  readonly _protocol: PrivateProtocol;
  readonly _chanMgr: {
    get(id: number): unknown;
    update(id: number, value: unknown): void;
    remove(id: number): void;
  };
}

interface PrivateProtocol {
  readonly _handlers: {
    GLOBAL_REQUEST(...fields: unknown[]): void;
    CHANNEL_REQUEST(...fields: unknown[]): void;
    CHANNEL_OPEN(peer: unknown, info: { packetSize: number }): void;
    CHANNEL_OPEN_CONFIRMATION(
      peer: unknown,
      info: { packetSize: number },
    ): void;
    CHANNEL_DATA(peer: unknown, recipient: number, data: Buffer): void;
    CHANNEL_CLOSE(peer: unknown, recipient: number): void;
    REQUEST_SUCCESS?: () => void;
    REQUEST_FAILURE?: () => void;
  };
  /** Our KEXINIT while a key exchange is under way. */
  readonly _kexinit: unknown;
  readonly _queue: unknown[] | undefined;
  /** Undefined once nothing can be sent any more. */
  readonly _destruct: unknown;
  readonly _packetRW: {
    readonly write: {
      readonly allocStartKEX: number;
      alloc(bytes: number, force: boolean): Buffer;
      finalize(packet: Buffer, force: boolean): Buffer;
    };
  };
  readonly _cipher: { encrypt(packet: Buffer): void };
  ping(): void;
  channelClose(peerId: number): void;
  readonly channelData: unknown;
  readonly channelWindowAdjust: unknown;
  readonly forwardedTcpip: unknown;
}

interface PrivateSession {
  readonly _chanInfo: { readonly outgoing: { readonly id: number } };
  readonly _channel: unknown;
}
