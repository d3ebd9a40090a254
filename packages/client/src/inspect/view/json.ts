// Pretty-prints JSON without parsing it into values: numbers and strings stay as they were written (the ids of many
// providers are 64 bits wide), and so do the order and the doubles of keys. RFC 8259; without recursion.
import { setImmediate as nextTurn } from "node:timers/promises";
import type { BodyView } from "@expose/protocol";
import { placeOf } from "./place.ts";

/**
 * @param cut whether the text goes on beyond its end, so that an end in the middle is no mistake
 * @param lines whether several values may follow one another, as in application/x-ndjson
 */
export async function viewJson(
  text: string,
  cut: boolean,
  lines: boolean,
): Promise<BodyView> {
  const printer = new Printer(text, lines);
  const mistake = await printer.print();
  if (mistake === undefined)
    return {
      kind: "json",
      text: printer.output,
      ...(printer.full && { truncated: true }),
    };
  if (cut && isLastToken(text, mistake.at))
    return { kind: "json", text: printer.output, truncated: true };
  return {
    kind: "json",
    text,
    error: { message: mistake.message, ...placeOf(text, mistake.at) },
  };
}

// A number or a word that the cut divides looks like a mistake before its end.
const isLastToken = (text: string, at: number): boolean =>
  /^[\w.+-]{0,40}\s*$/.test(text.slice(at, at + 80)) && text.length - at < 80;

interface Mistake {
  readonly message: string;
  readonly at: number;
}

// Tunnels carry bytes in between.
const STEPS_A_TURN = 5_000;
const MAX_DEPTH = 256;
// Deep nesting makes indentation longer than the text.
const MAX_OUTPUT = 4 * 1024 * 1024;

// Beside the blanks of RFC 8259 a byte order mark, and the record separator of RFC 7464.
const BLANKS: ReadonlySet<string> = new Set(" \t\n\r\u001e\ufeff");
const NUMBER = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y;
const WORD = /true|false|null/y;

class Printer {
  output = "";
  /** Whether the output was cut. */
  full = false;
  readonly #text: string;
  readonly #lines: boolean;
  /** The brackets that are open, by their closing ones. */
  readonly #open: string[] = [];
  #at = 0;
  #steps = 0;

  constructor(text: string, lines: boolean) {
    this.#text = text;
    this.#lines = lines;
  }

  async print(): Promise<Mistake | undefined> {
    this.#skipBlanks();
    for (;;) {
      const mistake = await this.#value();
      if (mistake || this.full) return mistake;
      this.#skipBlanks();
      if (this.#at >= this.#text.length) return undefined;
      if (!this.#lines)
        return this.#mistake(
          "expected the end, and something follows the value",
        );
      this.output += "\n";
    }
  }

  // One value with all that is in it. Each turn of the loop reads a value's beginning and what closes behind it.
  async #value(): Promise<Mistake | undefined> {
    const floor = this.#open.length;
    for (;;) {
      const opened = this.#begin();
      if (typeof opened === "object") return opened;
      if (++this.#steps % STEPS_A_TURN === 0) await nextTurn();
      if (this.output.length > MAX_OUTPUT) {
        this.full = true;
        return undefined;
      }
      if (opened) continue;
      const mistake = this.#close(floor);
      if (mistake) return mistake;
      if (this.#open.length === floor) return undefined;
    }
  }

  // A scalar, an empty object or array (false), or the beginning of one up to its first value (true).
  #begin(): Mistake | boolean {
    const first = this.#text[this.#at];
    if (first === "{" || first === "[") {
      const closing = first === "{" ? "}" : "]";
      this.#at++;
      this.#skipBlanks();
      if (this.#text[this.#at] === closing) {
        this.#at++;
        this.output += first + closing;
        return false;
      }
      if (this.#open.length >= MAX_DEPTH)
        return this.#mistake(`nested more than ${MAX_DEPTH} levels deep`);
      this.#open.push(closing);
      this.output += first;
      return this.#entry() ?? true;
    }
    const scalar = this.#takeString() || this.#take(NUMBER) || this.#take(WORD);
    if (scalar === "") return this.#explainValue();
    this.output += scalar;
    return false;
  }

  // The line break and, in an object, the key before a value.
  #entry(): Mistake | undefined {
    this.output += `\n${"  ".repeat(this.#open.length)}`;
    if (this.#open.at(-1) !== "}") return undefined;
    const key = this.#takeString();
    if (key === "")
      return this.#text[this.#at] === '"'
        ? this.#explainString()
        : this.#mistake("expected a key in double quotes");
    this.#skipBlanks();
    if (this.#text[this.#at] !== ":")
      return this.#mistake("expected a colon behind the key");
    this.#at++;
    this.#skipBlanks();
    this.output += `${key}: `;
    return undefined;
  }

  // Behind a value: closing brackets, or a comma and the next entry.
  #close(floor: number): Mistake | undefined {
    while (this.#open.length > floor) {
      this.#skipBlanks();
      const closing = this.#open.at(-1)!;
      if (this.#text[this.#at] === ",") {
        this.#at++;
        this.output += ",";
        this.#skipBlanks();
        if (this.#text[this.#at] === closing)
          return this.#mistake(`a comma stands before the closing ${closing}`);
        return this.#entry();
      }
      if (this.#text[this.#at] !== closing)
        return this.#mistake(`expected a comma or ${closing}`);
      this.#at++;
      this.#open.pop();
      this.output += `\n${"  ".repeat(this.#open.length)}${closing}`;
    }
    return undefined;
  }

  #explainValue(): Mistake {
    switch (this.#text[this.#at]) {
      case '"':
        return this.#explainString();
      case "'":
        return this.#mistake("strings stand in double quotes");
      case undefined:
        return this.#mistake("it ends where a value is expected");
      default:
        return this.#mistake("expected a value");
    }
  }

  // The place inside of a string where it breaks.
  #explainString(): Mistake {
    const end = findStringEnd(this.#text, this.#at);
    const rest = this.#text.slice(-end, 6 - end);
    // An escape that ends with the text may be a good one that was cut.
    if (/^(?:\\(?:u[0-9a-fA-F]{0,3})?)?$/.test(rest))
      return { message: "a string is not closed", at: this.#text.length };
    return {
      message: rest.startsWith("\\")
        ? "no such escape in a string"
        : "a control character in a string has to be escaped",
      at: -end,
    };
  }

  #skipBlanks(): void {
    while (BLANKS.has(this.#text[this.#at] ?? "")) this.#at++;
  }

  #takeString(): string {
    if (this.#text[this.#at] !== '"') return "";
    const end = findStringEnd(this.#text, this.#at);
    if (end < 0) return "";
    const start = this.#at;
    this.#at = end;
    return this.#text.slice(start, end);
  }

  #take(pattern: RegExp): string {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text)?.[0] ?? "";
    this.#at += found.length;
    return found;
  }

  #mistake(message: string): Mistake {
    return { message, at: this.#at };
  }
}

// By hand: a regular expression would keep a way back for each character, and strings can be megabytes long.
/** @returns the place behind the closing quote; where it breaks, made negative, when there is none */
function findStringEnd(text: string, start: number): number {
  for (let at = start + 1; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) return at + 1;
    if (code < 0x20) return -at;
    if (code !== BACKSLASH) continue;
    const [escape] = ESCAPE.exec(text.slice(at, at + 6)) ?? [];
    if (escape === undefined) return -at;
    at += escape.length - 1;
  }
  return -text.length;
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const ESCAPE = /^\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/;
