// A command on the server, as a stream with a second output and an end that says how it went.
import type { Duplex, Readable } from "node:stream";
import type { Client, ClientChannel } from "ssh2";
import { sendSignal } from "./inside-ssh2.ts";
import { tameChannel } from "./tame-channel.ts";

/** A running remote command: its stdin and stdout as one stream. */
export interface RemoteCommand extends Duplex {
  /** Has to be read or resumed: unread, it fills the window that it shares with stdout. */
  readonly stderr: Readable;
  /** How the command ended; both undefined when the server did not say or the connection was lost. Never rejects. */
  readonly exited: Promise<CommandExit>;
  /** Sends it a signal (RFC 4254 section 6.9), named without SIG: `INT`. Servers may ignore that. */
  signal(name: string): void;
}

/** How a remote command ended. */
export interface CommandExit {
  readonly code: number | undefined;
  /** `SIGTERM` and its like. */
  readonly signal: string | undefined;
}

/** Makes a command of a channel on which one was just started. Call it in the tick in which ssh2 handed it out. */
export function asRemoteCommand(
  client: Client,
  channel: ClientChannel,
): RemoteCommand {
  tameChannel(channel, "command");
  const exited = new Promise<CommandExit>((resolve) => {
    channel.once("exit", (code: number | null, signal?: string) =>
      resolve({ code: code ?? undefined, signal }),
    );
    channel.once("close", () =>
      resolve({ code: undefined, signal: undefined }),
    );
  });
  // The errors of stderr are those of the channel.
  channel.stderr.on("error", () => {});
  return Object.assign(channel, {
    exited,
    signal: (name: string) => sendSignal(client, channel, name),
  });
}
