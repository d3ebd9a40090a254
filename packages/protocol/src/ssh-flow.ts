// Steers what flows over one SSH connection: how much is on its way to the peer, and how much the peer may send on each
// channel. ssh2 itself sends what it is given and grants 2 MiB a channel for ever, which is too little for a fast line with
// a long round trip and too much for a slow one. As ssh-tuning.ts this knows ssh2 by its shape only, and tests beside
// the two doors fail when an upgrade of ssh2 breaks what is assumed here.
import {
  BULK_PIECE_BYTES,
  BulkReads,
  type BulkConnection,
} from "./bulk-reads.ts";
import type { FairLink } from "./fair-link.ts";
import { createPathMeter, type PathMeter } from "./path-meter.ts";
import {
  createReceiveWindow,
  START_WINDOW_BYTES,
  type ReceiveWindow,
  type WindowBudget,
} from "./receive-window.ts";
import type { ChannelShape } from "./ssh-tuning.ts";

/** What is assumed of an ssh2 connection (lib/client.js and lib/server.js). */
export interface ConnectionShape {
  _sock: unknown;
  _protocol: BulkConnection["_protocol"] & {
    _handlers: {
      CHANNEL_DATA(protocol: unknown, id: number, data: Buffer): void;
      CHANNEL_EXTENDED_DATA(
        protocol: unknown,
        id: number,
        data: Buffer,
        type: number,
      ): void;
    };
    channelData(id: number, data: Buffer): void;
    channelWindowAdjust(id: number, bytes: number): void;
    channelOpenConfirm(
      id: number,
      ownId: number,
      window: number,
      packetSize: number,
    ): void;
    forwardedTcpip(
      ownId: number,
      window: number,
      packetSize: number,
      details: object,
    ): void;
  };
  _chanMgr: { get(id: number): unknown };
}

/** What a connection is steered by. */
export interface FlowOptions {
  /** Asks the peer for an answer that comes after it has taken all that was sent. See PathMeterOptions. */
  readonly ping: (onReply: () => void) => void;
  /** Monotonic, milliseconds. */
  readonly now: () => number;
  /** The connection's link; it is full from now on when enough is on its way. */
  readonly link: FairLink;
  /** What the windows of this connection may grow by. */
  readonly budget: WindowBudget;
  /** Which side opens the channels that visitors use: they are announced with the small window. */
  readonly side: "client" | "server";
  /** Called when the peer sent more than it may. Must throw. */
  readonly violated: () => never;
}

/** One connection that is steered. */
export interface Flow {
  /** What is known of the way to the peer. */
  readonly path: Pick<PathMeter, "roundTripMs">;
  /** Takes charge of a channel's receive window, in the tick in which ssh2 handed the channel out. */
  adopt(channel: object): void;
}

/** Begins to steer a connection that has logged in. */
export function steerFlow(
  connection: ConnectionShape,
  options: FlowOptions,
): Flow {
  const { ping, now, link, budget, side, violated } = options;
  const { _protocol: protocol, _chanMgr: manager } = connection;
  const path = createPathMeter({ ping, now, onRoom: () => link.wake() });
  link.limitBy(() => path.room());

  const { channelData } = protocol;
  protocol.channelData = (id, data) => {
    channelData.call(protocol, id, data);
    path.sent(data.length);
  };

  if (side === "client") {
    const confirm = protocol.channelOpenConfirm;
    protocol.channelOpenConfirm = (id, ownId, _window, packetSize) =>
      confirm.call(protocol, id, ownId, START_WINDOW_BYTES, packetSize);
  } else {
    const open = protocol.forwardedTcpip;
    protocol.forwardedTcpip = (ownId, _window, packetSize, details) =>
      open.call(protocol, ownId, START_WINDOW_BYTES, packetSize, details);
  }

  const handlers = protocol._handlers;
  const onData = handlers.CHANNEL_DATA;
  let reads: BulkReads | undefined;
  handlers.CHANNEL_DATA = (peer, id, data) => {
    const channel = manager.get(id) as SteeredChannel | undefined;
    const window = channel?.[WINDOW];
    // Sessions are not steered, and half a control message is kept until the rest of it comes: not where others' data
    // will be read to.
    if (window === undefined)
      return onData(peer, id, reads === undefined ? data : Buffer.from(data));
    if (!window.arrived(data.length)) violated();
    if (reads === undefined && data.length >= BULK_PIECE_BYTES)
      reads = new BulkReads(connection);
    if (reads === undefined) onData(peer, id, data);
    else reads.tell(data, () => onData(peer, id, data));
    grant(channel!, window);
  };

  // A forwarded connection has none. It counts (RFC 4254 section 5.2), and goes nowhere: nobody reads it, and ssh2's client
  // would keep any amount.
  const onExtendedData = handlers.CHANNEL_EXTENDED_DATA;
  handlers.CHANNEL_EXTENDED_DATA = (peer, id, data, type) => {
    const channel = manager.get(id) as SteeredChannel | undefined;
    const window = channel?.[WINDOW];
    if (window === undefined) return onExtendedData(peer, id, data, type);
    if (!window.arrived(data.length)) violated();
    grant(channel!, window);
  };

  function grant(channel: SteeredChannel, window: ReceiveWindow): void {
    // RFC 4254 section 5.3: nothing may follow CLOSE, and nobody sends after their own end.
    if (channel.incoming.state !== "open") return;
    const { state, id } = channel.outgoing;
    if (state !== "open" && state !== "eof") return;
    const bytes = window.grant(channel.readableLength);
    if (bytes > 0) protocol.channelWindowAdjust(id, bytes);
  }

  // While somebody reads what has been waiting; ssh2 would top up as soon as they begin. One function for all channels:
  // each of its own would cost every idle one memory.
  function read(this: SteeredChannel, size?: number): unknown {
    const { read: plain } = Object.getPrototypeOf(this) as SteeredChannel;
    const chunk = plain.call(this, size);
    if (chunk !== null) grant(this, this[WINDOW]!);
    return chunk;
  }

  return {
    path,
    adopt(handedOut) {
      const channel = handedOut as SteeredChannel;
      if (channel[WINDOW] !== undefined) return;
      const announced =
        channel.type === "forwarded-tcpip"
          ? START_WINDOW_BYTES
          : channel.incoming.window;
      channel[WINDOW] = createReceiveWindow(announced, path, budget, now);
      // ssh2 tops the window up when it has fallen below a half; this one never falls.
      channel.incoming.window = Number.MAX_SAFE_INTEGER;
      channel.read = read;
      channel.on("close", closeWindow);
    },
  };
}

function closeWindow(this: SteeredChannel): void {
  this[WINDOW]?.close();
}

const WINDOW = Symbol("receive window");

interface SteeredChannel extends ChannelShape {
  [WINDOW]?: ReceiveWindow;
  readonly type: string;
  read(size?: number): unknown;
}
