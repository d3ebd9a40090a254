// Lines that wait to be written, as bytes: a string for each would be copied by two garbage collections before it goes.

/** Some lines, whole. */
export interface Page {
  readonly bytes: Buffer;
  readonly lines: number;
}

// About 150 records; fewer cost more, because each page is handed to another thread, which has to be woken.
const PAGE_BYTES = 64 * 1024;
// Of UTF-8, for one UTF-16 unit.
const MAX_BYTES_PER_UNIT = 3;

/** A queue of lines. */
export class LinePages {
  readonly #full: Page[] = [];
  #page = Buffer.alloc(0);
  #used = 0;
  #lines = 0;
  /** Lines in the queue. */
  lines = 0;
  /** Bytes of them. */
  bytes = 0;

  /** Whether a page is full. */
  get hasFull(): boolean {
    return this.#full.length > 0;
  }

  /** Adds a line. @param line with its newline */
  add(line: string): void {
    const needed = line.length * MAX_BYTES_PER_UNIT;
    if (needed > this.#page.length - this.#used) {
      this.#turnPage();
      this.#page = Buffer.allocUnsafe(Math.max(PAGE_BYTES, needed));
    }
    const written = this.#page.write(line, this.#used);
    this.#used += written;
    this.bytes += written;
    this.#lines++;
    this.lines++;
  }

  /** Takes the oldest lines; undefined when there are none. */
  take(): Page | undefined {
    if (!this.hasFull) this.#turnPage();
    const page = this.#full.shift();
    if (!page) return undefined;
    this.lines -= page.lines;
    this.bytes -= page.bytes.length;
    return page;
  }

  /** Forgets all of them. */
  clear(): void {
    while (this.take());
  }

  #turnPage(): void {
    if (this.#lines === 0) return;
    this.#full.push({
      bytes: this.#page.subarray(0, this.#used),
      lines: this.#lines,
    });
    // The rest of it is good for more.
    this.#page = this.#page.subarray(this.#used);
    this.#used = 0;
    this.#lines = 0;
  }
}
