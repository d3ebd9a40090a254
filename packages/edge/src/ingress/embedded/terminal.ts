// What a person sees who came with plain ssh: the session channels of one connection, as far as they are no control
// channel. Nothing here may grow or wait: who does not read misses lines, and is told how many.
import type { Duplex } from "node:stream";
import type { LinkPressure } from "@expose/protocol";
import type { RequestRecord } from "../../access-log/record.ts";
import { escapeControls } from "../../util/escape.ts";
import { formatRequestLine } from "./request-line.ts";
import type { PrivateChannel } from "./ssh2-door.ts";

/** The session channels of one connection. */
export interface Terminal {
  /** Whether anybody can read. */
  readonly attached: boolean;
  /**
   * Adds a session channel and shows it what was said before there was any.
   * @param pty whether the client's terminal is in raw mode: lines then need CR, and Ctrl-C comes as a byte
   * @param interrupted called when the person wants to end
   */
  attach(
    channel: PrivateChannel,
    stream: Duplex,
    pty: boolean,
    interrupted: () => void,
  ): void;
  /** Prints a line on standard output. Lost when nobody is attached. */
  say(line: string): void;
  /** Prints a line on standard error, at once or when somebody attaches. */
  complain(line: string): void;
  /** Prints a request, unless the reader is slow or there are more than anybody reads. */
  request(record: RequestRecord): void;
  /** Reports an exit status and closes the channels. Nothing is printed any more. */
  finish(exitStatus: number): void;
}

interface Screen {
  readonly channel: PrivateChannel;
  readonly stream: Duplex;
  readonly newline: string;
}

// More than this nobody reads, and at 40,000 requests/s the lines would cost more than the requests.
const MAX_LINES_PER_SECOND = 100;

// Refusals that wait for a session channel; ssh asks for its forwards before it opens one.
const MAX_KEPT = 20;

// Lines are only written while the channel's window has room for this many more, so that none ever waits in the edge.
// Both ways out of a channel of ssh2 share one flag for that, and sharing it can send data twice.
const MIN_WINDOW = 16 * 1024;

const CTRL_C = 3;

/** Builds the terminal of a connection. @param formatTarget see EmbeddedIngressOptions */
export const createTerminal = (
  link: LinkPressure,
  formatTarget: (target: string) => string,
): Terminal => new Screens(link, formatTarget);

// A class, because most connections never have a screen: with functions of its own each of them would take a kilobyte.
class Screens implements Terminal {
  readonly #link: LinkPressure;
  readonly #formatTarget: (target: string) => string;
  #screens: readonly Screen[] = NO_SCREENS;
  #kept: readonly string[] = NOTHING_KEPT;
  #currentSecond = 0;
  #linesInSecond = 0;
  #dropped = 0;

  constructor(link: LinkPressure, formatTarget: (target: string) => string) {
    this.#link = link;
    this.#formatTarget = formatTarget;
  }

  get attached(): boolean {
    return this.#screens.length > 0;
  }

  attach(
    channel: PrivateChannel,
    stream: Duplex,
    pty: boolean,
    interrupted: () => void,
  ): void {
    const screen = { channel, stream, newline: pty ? "\r\n" : "\n" };
    this.#screens = [...this.#screens, screen];
    stream.once("close", () => {
      this.#screens = this.#screens.filter((other) => other !== screen);
    });
    // What is typed is read in any case, so that the client's window does not close.
    stream.on("data", (typed: Buffer) => {
      if (pty && typed.includes(CTRL_C)) interrupted();
    });
    for (const line of this.#kept) print(screen, line, true);
    this.#kept = NOTHING_KEPT;
  }

  say(line: string): void {
    this.#printToAll(line, false);
  }

  complain(line: string): void {
    if (this.attached) this.#printToAll(line, true);
    else if (this.#kept.length < MAX_KEPT) this.#kept = [...this.#kept, line];
  }

  request(record: RequestRecord): void {
    if (!this.attached) return;
    const second = Math.floor((record.startedAt + record.totalMs) / 1_000);
    if (second !== this.#currentSecond) {
      this.#currentSecond = second;
      this.#linesInSecond = 0;
    }
    if (this.#linesInSecond >= MAX_LINES_PER_SECOND || this.#link.isFull()) {
      this.#dropped++;
      return;
    }
    const dropped = this.#dropped;
    if (dropped > 0 && this.#printToAll(`(${dropped} more requests)`, false))
      this.#dropped = 0;
    this.#linesInSecond++;
    if (!this.#printToAll(formatRequestLine(record, this.#formatTarget), false))
      this.#dropped++;
  }

  finish(exitStatus: number): void {
    for (const { channel, stream } of this.#screens) {
      channel.exit(exitStatus);
      stream.end(() => stream.destroy());
    }
    this.#screens = NO_SCREENS;
  }

  #printToAll(line: string, isError: boolean): boolean {
    let reached = false;
    for (const screen of this.#screens)
      reached = print(screen, line, isError) || reached;
    return reached;
  }
}

const NO_SCREENS: readonly Screen[] = [];
const NOTHING_KEPT: readonly string[] = [];

function print(screen: Screen, line: string, isError: boolean): boolean {
  const { channel, stream, newline } = screen;
  if (!stream.writable || channel.outgoing.window < MIN_WINDOW) return false;
  const out = isError ? channel.stderr : stream;
  out.write(escapeControls(line) + newline);
  return true;
}
