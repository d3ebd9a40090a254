// A block of lines at the end of the terminal that is redrawn in place, with what was printed before left alone.

/** The terminal, as far as it is needed here. */
export interface Screen {
  readonly columns: number;
  readonly rows: number;
  /** Writes without blocking; `done` is called when the terminal has taken everything. */
  write(text: string, done: () => void): void;
  /** Writes before it returns: for the last words of a process. */
  writeSync(text: string): void;
}

/** See the file's head. */
export interface LiveRegion {
  /** Replaces the block. Lines must fit into the screen's width and be free of control characters but styles. */
  draw(lines: readonly string[]): void;
  /** Puts lines above the block, for good. They may be of any width. */
  print(lines: readonly string[]): void;
  /** The terminal has another size: what is there has moved. The next draw() paints everything again. */
  resized(): void;
  /** Takes the block away and shows the cursor, as when the process is suspended. draw() brings it back. */
  clear(): Promise<void>;
  /** Draws a last time, puts the cursor below and shows it. Nothing is written afterwards. Idempotent. */
  end(lines: readonly string[]): Promise<void>;
  /** As end(), for a process that has no time left: a frame that is on its way may overtake it. */
  endNow(lines: readonly string[]): void;
}

// DEC private modes: cursor (25), automatic wrap at the right edge (7, off while drawing, in case that a terminal has
// other ideas of a character's width), synchronized output (2026, ignored by terminals that do not know it).
const BEGIN = "\x1b[?2026h\x1b[?7l";
const END = "\x1b[?7h\x1b[?2026l";
const HIDE_CURSOR = "\x1b[?25l";
const SHOW_CURSOR = "\x1b[?25h";
const HOME = "\x1b[H";
const SAVE_CURSOR = "\x1b7";
const RESTORE_CURSOR = "\x1b8";
const ERASE_LINE_RIGHT = "\x1b[K";
const ERASE_BELOW = "\x1b[J";
// A terminal that takes nothing is not waited for.
const PATIENCE_MS = 200;

/**
 * Between frames the (hidden) cursor rests at the block's first column and line; what the person types in the meantime
 * is echoed into the block, which the next frame paints over. A resize moves what is on the screen about in ways that
 * differ between terminals, so the block begins at the top of the screen from then on: what was above it there goes.
 */
export function createLiveRegion(screen: Screen): LiveRegion {
  let shown: readonly string[] = [];
  let resized = false;
  let ended = false;
  // A terminal may take nothing for a while (Ctrl-S, a selection in progress). Frames are dropped then, never queued.
  let busy = false;
  let next: readonly string[] | undefined;
  let toPrint: string[] = [];
  let whenIdle: (() => void)[] = [];

  function frame(lines: readonly string[]): string {
    const start = shown.length === 0 ? "\r" : resized ? HOME : RESTORE_CURSOR;
    const printed = toPrint.map((line) => `${line}\x1b[m${ERASE_BELOW}\n`);
    // Printed lines may be longer than the screen is wide, and must wrap.
    const above =
      printed.length > 0
        ? `${ERASE_BELOW}\x1b[?7h${printed.join("")}\x1b[?7l`
        : "";
    toPrint = [];
    // Every line, also those that have not changed: what the person typed was echoed over some of them. Text that is
    // written over itself does not flicker; erasing first would.
    const body = lines.map((line) => `${line}${ERASE_LINE_RIGHT}`).join("\r\n");
    const up = lines.length > 1 ? `\x1b[${lines.length - 1}A` : "";
    resized = false;
    shown = lines;
    const hide = lines.length > 0 ? HIDE_CURSOR : "";
    return `${hide}${start}${above}${body}${ERASE_BELOW}${up}\r${SAVE_CURSOR}`;
  }

  function flush(): void {
    if (busy || ended) return;
    if (!next) {
      for (const resolve of whenIdle.splice(0)) resolve();
      return;
    }
    const lines = next.slice(0, Math.max(1, screen.rows - 1));
    next = undefined;
    busy = true;
    screen.write(`${BEGIN}${frame(lines)}${END}`, () => {
      busy = false;
      flush();
    });
  }

  // What is written synchronously must not be overtaken by a frame that waits in the thread pool.
  async function idle(): Promise<void> {
    if (!busy) return;
    next = undefined;
    let timer: NodeJS.Timeout | undefined;
    await new Promise<void>((resolve) => {
      whenIdle.push(resolve);
      timer = setTimeout(resolve, PATIENCE_MS);
    });
    clearTimeout(timer);
  }

  function endNow(lines: readonly string[]): void {
    if (ended) return;
    ended = true;
    const last = lines.slice(0, Math.max(1, screen.rows - 1));
    const drawn =
      last.length > 0 || toPrint.length > 0 || shown.length > 0
        ? `${BEGIN}${frame(last)}${"\n".repeat(last.length)}${END}`
        : "";
    screen.writeSync(`${drawn}${SHOW_CURSOR}`);
  }

  return {
    draw(lines) {
      next = lines;
      flush();
    },
    print(lines) {
      toPrint.push(...lines);
      next ??= shown;
      flush();
    },
    resized() {
      resized = true;
    },
    async clear() {
      await idle();
      if (ended || shown.length === 0) return;
      screen.writeSync(`${RESTORE_CURSOR}${ERASE_BELOW}${SHOW_CURSOR}`);
      shown = [];
    },
    async end(lines) {
      await idle();
      endNow(lines);
    },
    endNow,
  };
}
