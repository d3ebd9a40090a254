// The session channels of one connection (RFC 4254 section 6): which of them speaks the control protocol, which is a
// person's screen, and what neither of them gets.
import type { Duplex } from "node:stream";
import type { Connection, ServerChannel, Session } from "ssh2";
import { adoptChannel } from "./channel-stream.ts";
import type { Door, PrivateChannel } from "./ssh2-door.ts";

/** The session channels of one connection. */
export interface Sessions {
  /** Those that are open, with or without a command. */
  readonly size: number;
}

/** What the sessions tell their connection. */
export interface SessionsOptions {
  readonly maxSessions: number;
  /** Whether the connection takes new sessions and commands. */
  readonly isOpen: () => boolean;
  /** The client began to speak the control protocol. @returns false to refuse */
  readonly mayControl: () => boolean;
  readonly control: (stream: Duplex) => void;
  /** A person began to look. @param pty whether in a pseudo-terminal, which is then in raw mode */
  readonly screen: (
    channel: PrivateChannel,
    stream: Duplex,
    pty: boolean,
  ) => void;
  /** The client sent a signal that ends a program. */
  readonly interrupted: () => void;
}

/** What a client runs to speak the control protocol. */
const CONTROL_COMMAND = "expose-control";

/** What ends a plain session, of the names in RFC 4254 section 6.10. */
const ENDING_SIGNALS = new Set(["INT", "TERM", "HUP", "QUIT", "KILL"]);

/** Answers a connection's requests for sessions. */
export function serveSessions(
  connection: Connection,
  door: Door,
  options: SessionsOptions,
): Sessions {
  const sessions = { size: 0 };

  connection.on("session", (accept, reject) => {
    if (!options.isOpen() || sessions.size >= options.maxSessions) reject();
    else serve(accept());
  });

  function serve(session: Session): void {
    sessions.size++;
    let open = true;
    let pty = false;
    const closed = (): void => {
      if (open) sessions.size--;
      open = false;
    };

    function start(
      accept: () => ServerChannel | undefined,
    ): { channel: PrivateChannel; stream: Duplex } | undefined {
      if (!options.isOpen()) return undefined;
      const channel = accept() as PrivateChannel | undefined;
      // ssh2 gives nothing for a second command on the same session.
      if (channel === undefined) return undefined;
      const stream = adoptChannel(channel, door);
      stream.once("close", closed);
      return { channel, stream };
    }

    function startScreen(accept: () => ServerChannel | undefined): void {
      const started = start(accept);
      if (started) options.screen(started.channel, started.stream, pty);
    }

    // What is not listened to here (subsystems, agent, X11, environment) is refused by ssh2.
    session.on("error", () => {});
    session.on("close", closed);
    session.on("pty", (accept) => {
      pty = true;
      accept?.();
    });
    session.on("window-change", (accept) => accept?.());
    session.on("signal", (_accept, _reject, { name }) => {
      if (ENDING_SIGNALS.has(name)) options.interrupted();
    });
    session.on("shell", startScreen);
    session.on("exec", (accept, reject, { command }) => {
      if (command !== CONTROL_COMMAND) return startScreen(accept);
      if (!options.mayControl()) return reject?.();
      const started = start(accept);
      if (started) options.control(started.stream);
    });
  }

  return sessions;
}
