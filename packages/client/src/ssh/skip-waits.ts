// What ssh2's client waits for and could do without: each is a round trip on the way to a tunnel. A second door to what
// ssh2 keeps to itself; skip-waits.test.ts fails when an upgrade moves it.
import type { Client, ClientChannel } from "ssh2";

type Handler = (...fields: unknown[]) => void;

type ChannelOpened = ((
  error: Error | undefined,
  channel?: ClientChannel,
) => void) & { type?: unknown };

interface ClientInternals {
  readonly _chanMgr: {
    /** Keeps what hears of a channel that was asked for. @returns its number, or -1 when there are too many */
    add?(opened: ChannelOpened): number;
  };
  readonly _protocol: {
    /** Asks whether a key would do; with `sign`, signs with it. An own property shadows the method. */
    authPK(
      username: string,
      key: unknown,
      algorithm: string | undefined,
      sign?: unknown,
    ): void;
    readonly _handlers: Record<string, Handler | undefined>;
  };
}

// ssh2 checks none of this at compile time, hence the detour by unknown: the shapes are held by the test.
const inside = (client: Client): ClientInternals =>
  client as unknown as ClientInternals;

/**
 * Begins to log in as soon as the keys are exchanged, instead of a round trip later when the server has accepted the
 * request for the service. The server has proved itself in the key exchange by then, which is what RFC 4253 section 10
 * makes the wait depend on; Dropbear's client has never waited. Call it after connect().
 *
 * @param mayBegin whether all that has to be known before the first key is offered is known; else the wait goes on until
 * the server has listed its signature algorithms (RFC 8308 section 3.1) or accepted the request
 */
export function skipServiceWait(client: Client, mayBegin: () => boolean): void {
  const { _protocol: protocol } = inside(client);
  const handlers = protocol._handlers;
  const { SERVICE_ACCEPT: accepted, EXT_INFO: noteExtensions } = handlers;
  let encrypted = false;
  let begun = false;
  const begin = (): void => {
    if (begun) return;
    begun = true;
    accepted!(protocol, "ssh-userauth");
  };
  handlers["SERVICE_ACCEPT"] = begin;
  handlers["EXT_INFO"] = (...fields) => {
    noteExtensions!(...fields);
    if (encrypted) begin();
  };
  client.once("handshake", () => {
    encrypted = true;
    // ssh2 asks for the service in this turn, after this event.
    setImmediate(() => {
      if (mayBegin()) begin();
    });
  });
}

/**
 * Signs with a key straight away, instead of asking first whether the server would accept it (RFC 4252 section 7 leaves
 * the choice). Call it after connect().
 *
 * @param wanted asked before each question whether the key that it is about is to sign at once
 */
export function skipKeyQuestion(client: Client, wanted: () => boolean): void {
  const { _protocol: protocol } = inside(client);
  const ask = protocol.authPK.bind(protocol);
  protocol.authPK = (username, key, algorithm, sign) => {
    if (sign !== undefined || !wanted()) ask(username, key, algorithm, sign);
    // What ssh2 does on a yes: it calls authPK again, to sign.
    else protocol._handlers["USERAUTH_PK_OK"]!(protocol);
  };
}

/**
 * As client.exec(), and hands the channel out when the command was asked for, a round trip before the server has agreed:
 * what is written until then is there when the command starts (RFC 4254 section 6.5).
 *
 * @param onAsked called at most once, before `done`
 */
export function execAhead(
  client: Client,
  command: string,
  onAsked: (channel: ClientChannel) => void,
  done: (error: Error | undefined, channel?: ClientChannel) => void,
): void {
  const manager = inside(client)._chanMgr;
  const add = manager.add!;
  manager.add = (opened) => {
    const openedThenAsked: ChannelOpened = (error, channel) => {
      opened(error, channel);
      if (channel) onAsked(channel);
    };
    return add.call(
      manager,
      Object.assign(openedThenAsked, { type: opened.type }),
    );
  };
  try {
    client.exec(command, done);
  } finally {
    // The own property; the method beneath it stays.
    delete manager.add;
  }
}
