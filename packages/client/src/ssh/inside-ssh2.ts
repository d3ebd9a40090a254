// The one door to what ssh2 keeps to itself. inside-ssh2.test.ts fails when an upgrade of ssh2 moves any of it.
import { Readable, type Duplex } from "node:stream";
import type { Channel, Client, ClientChannel } from "ssh2";
import {
  createWindowBudget,
  forgetKeyExchange,
  poolPadding,
  steerFlow,
  tuneChannelClass,
  type ChannelShape,
  type ConnectionShape,
  type FairLink,
  type Flow,
  type ProtocolShape,
} from "@expose/protocol";

interface ClientInternals {
  readonly _chanMgr: { get(id: number): unknown };
  readonly _callbacks: ((failed: unknown) => void)[];
  readonly _protocol: {
    ping(): void;
    signal(channel: number, name: string): void;
    readonly _handlers: Record<
      string,
      ((...args: unknown[]) => void) | undefined
    >;
  };
}

interface ChannelInternals {
  /** `state`: "open", then "eof" after CHANNEL_EOF, "closed" after CHANNEL_CLOSE. */
  readonly incoming: { readonly state: string; readonly window: number };
  /** `state`: "open", "eof", "closing" once CHANNEL_CLOSE was sent, "closed". */
  readonly outgoing: { readonly state: string; readonly id: number };
  /** Set while `_chunk` waits for the peer's window. */
  _waitWindow: boolean;
  _chunk: Buffer | undefined;
  _chunkcb: ((error?: Error | null) => void) | undefined;
  /** Of Node's streams; their high-water marks can be set by the constructor only, which is ssh2's. */
  readonly _readableState: { highWaterMark: number };
  readonly _writableState: { highWaterMark: number };
}

// ssh2 checks none of this at compile time, hence the detour by unknown: the shapes are held by the test.
const insideClient = (client: Client): ClientInternals =>
  client as unknown as ClientInternals;
const insideChannel = (channel: Channel): ChannelInternals =>
  channel as unknown as ChannelInternals;

/** Makes the channels of ssh2 fast, once for all; told by one of them, since ssh2 does not export their class. */
export function tuneChannels(channel: Channel): void {
  tuneChannelClass({
    prototype: Object.getPrototypeOf(channel) as ChannelShape,
  });
}

/** Makes the packets of a connection cheap, from now on. */
export function tunePackets(client: Client): void {
  const { _protocol: protocol, _sock: stream } = client as unknown as {
    _protocol: ProtocolShape;
    _sock: Duplex;
  };
  poolPadding(protocol, stream);
}

/** Frees what a connection keeps of its login or its last key exchange. */
export function forgetHandshake(client: Client): void {
  forgetKeyExchange(
    (client as unknown as { _protocol: ProtocolShape })._protocol,
  );
}

// Two uploads at 16 MiB each, or many that share a line.
const MAX_WINDOW_BYTES = 32 * 1024 ** 2;

/** Sizes what is on its way, both ways, by what the line carries. @param link is told when there is enough */
export function steer(client: Client, link: FairLink): Flow {
  return steerFlow(client as unknown as ConnectionShape, {
    ping: (onReply) => pingServer(client, onReply),
    now: () => performance.now(),
    link,
    budget: createWindowBudget(MAX_WINDOW_BYTES),
    side: "client",
    violated: () => {
      throw new Error("The server sent more data than the window allows");
    },
  });
}

// As at the edge (ssh2-door.ts): packets of 0 bytes make ssh2's Channel._write loop for ever, tiny ones make us work
// thirty times as hard. OpenSSH asks for 32 KiB, Dropbear for no less than 16.
const MIN_PACKET_BYTES = 1_024;

/**
 * Ends a connection whose server breaks what ssh2 trusts it with: packets too small to send, and more data than the
 * window allows (RFC 4254 section 5.2), of which ssh2 buffers any amount. It ends as with any error of the protocol.
 */
export function guardChannels(client: Client): void {
  const { _chanMgr: manager, _protocol: protocol } = insideClient(client);
  const handlers = protocol._handlers;
  for (const name of ["CHANNEL_OPEN", "CHANNEL_OPEN_CONFIRMATION"]) {
    const original = handlers[name]!;
    handlers[name] = (...fields) => {
      const { packetSize } = fields[1] as { packetSize: number };
      // Throwing makes ssh2 stop in the middle of what it parses; it turns the error into an 'error' event.
      if (packetSize < MIN_PACKET_BYTES)
        throw new Error("The server asks for packets that are too small");
      original(...fields);
    };
  }
  for (const name of ["CHANNEL_DATA", "CHANNEL_EXTENDED_DATA"]) {
    const original = handlers[name]!;
    handlers[name] = (...fields) => {
      const channel = manager.get(fields[1] as number);
      const data = fields[2] as Buffer;
      if (
        typeof channel === "object" &&
        channel !== null &&
        data.length > (channel as ChannelInternals).incoming.window
      )
        throw new Error("The server sent more data than the window allows");
      original(...fields);
    };
  }
}

/**
 * Sends a `keepalive@openssh.com` request, which every server answers with yes or no (RFC 4254 section 4). ssh2 has a
 * timer for that and no call; the timer kills busy connections.
 *
 * @param onReply called when the answer is here, never when the connection is lost
 */
export function pingServer(client: Client, onReply: () => void): void {
  const inside = insideClient(client);
  // ssh2 matches answers to requests by their order, and passes an Error when the connection has closed.
  inside._callbacks.push((failed) => {
    if (!(failed instanceof Error)) onReply();
  });
  inside._protocol.ping();
}

/**
 * Listens to USERAUTH_FAILURE (RFC 4252 section 5.1). ssh2 keeps its contents from an authHandler that offers keys of
 * an agent.
 */
export function onAuthRefused(
  client: Client,
  listener: (methods: readonly string[], partialSuccess: boolean) => void,
): void {
  const handlers = insideClient(client)._protocol._handlers;
  const original = handlers["USERAUTH_FAILURE"];
  handlers["USERAUTH_FAILURE"] = (protocol, methods, partialSuccess) => {
    if (Array.isArray(methods)) listener(methods, partialSuccess === true);
    original?.(protocol, methods, partialSuccess);
  };
}

/** Whether the peer has closed the channel for good (CHANNEL_CLOSE), rather than said that it will send no more. */
export const isClosedByPeer = (channel: Channel): boolean =>
  insideChannel(channel).incoming.state === "closed";

/**
 * Sends a command a signal (RFC 4254 section 6.9), named without SIG. ssh2's own method does nothing once stdin has
 * ended, which for most commands is at once.
 */
export function sendSignal(
  client: Client,
  channel: Channel,
  name: string,
): void {
  const { state, id } = insideChannel(channel).outgoing;
  if (state === "open" || state === "eof")
    insideClient(client)._protocol.signal(id, name);
}

/**
 * Bounds what a channel queues in each direction on top of its window, in bytes. ssh2's 2 MiB are no option of its own.
 */
export function boundQueues(channel: Channel, bytes: number): void {
  const inside = insideChannel(channel);
  inside._readableState.highWaterMark = bytes;
  inside._writableState.highWaterMark = bytes;
}

/**
 * Takes away the second reading side of a channel that has none on the wire: ssh2 makes one for each, with buffers and
 * listeners, and asks it no more than whether it is readable.
 */
export function dropStderr(channel: ClientChannel): void {
  channel.stderr = NO_STDERR;
}

const NO_STDERR = new Readable({ read() {} }).on("error", () => {}).destroy();

/** Takes back the callback of a write that waits for the peer's window; undefined when none does. */
export function takeWaitingWrite(
  channel: Channel,
): ((error?: Error | null) => void) | undefined {
  const inside = insideChannel(channel);
  if (!inside._waitWindow) return undefined;
  const callback = inside._chunkcb;
  inside._waitWindow = false;
  inside._chunk = undefined;
  inside._chunkcb = undefined;
  return callback;
}
