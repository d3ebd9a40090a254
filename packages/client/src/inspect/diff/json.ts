// Compares two JSON values place by place. Elements of arrays are paired as lines of a text are, so that one that was put
// in front does not make all the others differ.
import { diffArrays } from "diff";
import type { ComparedValue } from "@expose/protocol";

/** A JSON value whose numbers are as they were written: 12345678901234567890 differs from the one after it. */
export interface ExactJson {
  readonly value: unknown;
}

class WrittenNumber {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

// A mark that no JSON text can hold as it stands: it is a control character.
const MARK = "\u0001";
const STRING_OR_NUMBER = /"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g;

/** @returns undefined for what is no JSON object or array */
export function parseExactJson(text: string): ExactJson | undefined {
  if (!/^\s*[[{]/.test(text)) return undefined;
  try {
    JSON.parse(text);
    const marked = text.replace(STRING_OR_NUMBER, (token) =>
      token.startsWith('"') ? token : `"\\u0001${token}"`,
    );
    const value = JSON.parse(marked, (_key, each: unknown) =>
      typeof each === "string" && each.startsWith(MARK) && isNumber(each)
        ? new WrittenNumber(each.slice(1))
        : each,
    ) as unknown;
    return { value };
  } catch {
    // Not JSON, or nested more deeply than anybody means.
    return undefined;
  }
}

// A string of the text's own that begins with the mark is taken for a number when the rest looks like one: it is shown
// without quotes, and equal only to its like.
const isNumber = (text: string): boolean => /^-?\d/.test(text.slice(1));

const MAX_CHANGES = 1_000;
const MAX_DEPTH = 64;
const MAX_VALUE_CHARACTERS = 1_000;
const MAX_PAIRED_ELEMENTS = 5_000;
const MAX_EDITS = 200;
const MAX_MS = 100;

/** Compares within bounds of depth, time and number of changes; what lies beyond them is told as `truncated`. */
export function compareJson(
  left: unknown,
  right: unknown,
): { changes: ComparedValue[]; truncated: boolean } {
  const changes: ComparedValue[] = [];
  const until = performance.now() + MAX_MS;
  let truncated = false;

  visit("", left, right, 0);
  return { changes, truncated };

  function visit(path: string, a: unknown, b: unknown, depth: number): void {
    if (changes.length >= MAX_CHANGES || performance.now() > until) {
      truncated = true;
      return;
    }
    if (depth < MAX_DEPTH) {
      if (Array.isArray(a) && Array.isArray(b))
        return visitArrays(path, a, b, depth);
      if (isRecord(a) && isRecord(b)) return visitRecords(path, a, b, depth);
    }
    const [before, after] = [write(a), write(b)];
    if (before !== after)
      changes.push({
        path,
        kind: "changed",
        left: shorten(before),
        right: shorten(after),
      });
  }

  function visitRecords(
    path: string,
    a: Record<string, unknown>,
    b: Record<string, unknown>,
    depth: number,
  ): void {
    for (const key of new Set([...Object.keys(a), ...Object.keys(b)])) {
      const place = `${path}/${escapePointer(key)}`;
      if (!Object.hasOwn(b, key)) note("removed", place, a[key]);
      else if (!Object.hasOwn(a, key)) note("added", place, b[key]);
      else visit(place, a[key], b[key], depth + 1);
    }
  }

  function visitArrays(
    path: string,
    a: readonly unknown[],
    b: readonly unknown[],
    depth: number,
  ): void {
    for (const [i, j] of pair(a, b)) {
      if (i === undefined) note("added", `${path}/${j}`, b[j!]);
      else if (j === undefined) note("removed", `${path}/${i}`, a[i]);
      else visit(`${path}/${j}`, a[i], b[j], depth + 1);
    }
  }

  function note(kind: "added" | "removed", path: string, value: unknown): void {
    if (changes.length >= MAX_CHANGES) {
      truncated = true;
      return;
    }
    const text = shorten(write(value));
    changes.push({
      path,
      kind,
      ...(kind === "added" ? { right: text } : { left: text }),
    });
  }
}

type Pair = readonly [left: number | undefined, right: number | undefined];

// Equal elements are paired first; what lies between two pairs is paired in order, and the rest came or went.
function pair(a: readonly unknown[], b: readonly unknown[]): Pair[] {
  const steps =
    a.length + b.length > MAX_PAIRED_ELEMENTS
      ? undefined
      : diffArrays(a.map(write), b.map(write), {
          maxEditLength: MAX_EDITS,
          timeout: MAX_MS,
        });
  if (!steps) return pairInOrder(0, a.length, 0, b.length);
  const pairs: Pair[] = [];
  let [i, j] = [0, 0];
  let [fromI, fromJ] = [0, 0];
  for (const { added, removed, value } of steps) {
    if (added) j += value.length;
    else if (removed) i += value.length;
    else {
      pairs.push(...pairInOrder(fromI, i, fromJ, j));
      i += value.length;
      j += value.length;
      [fromI, fromJ] = [i, j];
    }
  }
  pairs.push(...pairInOrder(fromI, i, fromJ, j));
  return pairs;
}

function pairInOrder(i: number, toI: number, j: number, toJ: number): Pair[] {
  const pairs: Pair[] = [];
  for (; i < toI || j < toJ; i++, j++)
    pairs.push([i < toI ? i : undefined, j < toJ ? j : undefined]);
  return pairs;
}

// RFC 6901.
const escapePointer = (key: string): string =>
  key.replaceAll("~", "~0").replaceAll("/", "~1");

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" &&
  value !== null &&
  !Array.isArray(value) &&
  !(value instanceof WrittenNumber);

// As JSON, members in the order of their names: objects that differ in order alone are the same.
function write(value: unknown): string {
  if (value instanceof WrittenNumber) return value.text;
  if (Array.isArray(value)) return `[${value.map(write).join(",")}]`;
  if (isRecord(value))
    return `{${Object.keys(value)
      .sort()
      .map((key) => `${JSON.stringify(key)}:${write(value[key])}`)
      .join(",")}}`;
  return JSON.stringify(value);
}

const shorten = (text: string): string =>
  text.length > MAX_VALUE_CHARACTERS
    ? `${text.slice(0, MAX_VALUE_CHARACTERS)}…`
    : text;
