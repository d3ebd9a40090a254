// Pretty-prints XML by its tags alone: entities stay as they are written, declarations are not read, nothing is fetched.
import { setImmediate as nextTurn } from "node:timers/promises";
import type { BodyView } from "@expose/protocol";
import { placeOf } from "./place.ts";

/** @param cut whether the text goes on beyond its end, so that an end in the middle is no mistake */
export async function viewXml(text: string, cut: boolean): Promise<BodyView> {
  const lines: string[] = [];
  const open: string[] = [];
  let length = 0;
  let steps = 0;
  // Whether the line before is a start tag with nothing behind it yet, or has only text behind it.
  let last: "start" | "text" | "other" = "other";
  const fail = (message: string, at: number): BodyView => ({
    kind: "xml",
    text,
    error: { message, ...placeOf(text, at) },
  });
  const done = (truncated: boolean): BodyView => ({
    kind: "xml",
    text: lines.join("\n"),
    ...(truncated && { truncated }),
  });
  const add = (line: string): void => {
    const indented = `${"  ".repeat(open.length)}${line}`;
    lines.push(indented);
    length += indented.length + 1;
  };

  for (let at = 0; at < text.length;) {
    if (++steps % STEPS_A_TURN === 0) await nextTurn();
    if (length > MAX_OUTPUT) return done(true);
    if (text[at] !== "<") {
      const end = indexOrEnd(text, "<", at);
      const content = text.slice(at, end).trim();
      if (content !== "" && content !== "\ufeff") {
        if (open.length === 0)
          return fail("text outside of the outermost element", at);
        if (last === "start") lines[lines.length - 1] += content;
        else add(content);
        length += content.length;
        last = last === "start" ? "text" : "other";
      }
      at = end;
      continue;
    }
    const end = findEnd(text, at);
    if (end === -1)
      return cut ? done(true) : fail("a tag or a comment is not closed", at);
    const tag = text.slice(at, end);
    if (tag.startsWith("</")) {
      const name = tag.slice(2, -1).trim();
      const expected = open.at(-1);
      if (name !== expected)
        return fail(
          expected === undefined
            ? `</${shorten(name)}> closes what is not open`
            : `expected </${shorten(expected)}>, and this is </${shorten(name)}>`,
          at,
        );
      open.pop();
      if (last === "other") add(tag);
      else lines[lines.length - 1] += tag;
      last = "other";
    } else if (/^<[?!]/.test(tag)) {
      add(tag);
      last = "other";
    } else {
      const [, name] = /^<([^\s/>]+)/.exec(tag) ?? [];
      if (name === undefined || /^[\d.-]/.test(name))
        return fail("a < that begins no tag", at);
      add(tag);
      last = "other";
      if (!tag.endsWith("/>")) {
        if (open.length >= MAX_DEPTH)
          return fail(`nested more than ${MAX_DEPTH} levels deep`, at);
        open.push(name);
        last = "start";
      }
    }
    at = end;
  }
  if (open.length > 0 && !cut)
    return fail(`<${shorten(open.at(-1)!)}> is not closed`, text.length);
  return done(open.length > 0);
}

// Tunnels carry bytes in between.
const STEPS_A_TURN = 5_000;
const MAX_DEPTH = 256;
const MAX_OUTPUT = 4 * 1024 * 1024;

const shorten = (name: string): string => name.slice(0, 80);

const indexOrEnd = (text: string, wanted: string, from: number): number => {
  const found = text.indexOf(wanted, from);
  return found === -1 ? text.length : found;
};

/** @returns the place behind what begins with the `<` at `at`; -1 when it does not end */
function findEnd(text: string, at: number): number {
  for (const [start, close] of [
    ["<!--", "-->"],
    ["<![CDATA[", "]]>"],
    ["<?", "?>"],
  ] as const)
    if (text.startsWith(start, at)) {
      const found = text.indexOf(close, at + start.length);
      return found === -1 ? -1 : found + close.length;
    }
  // A `>` in quotes or in the brackets of a DOCTYPE is none.
  let depth = 0;
  for (let i = at + 1; i < text.length; i++) {
    const character = text[i];
    if (character === '"' || character === "'") {
      i = text.indexOf(character, i + 1);
      if (i === -1) return -1;
    } else if (character === "[" && text[at + 1] === "!") depth++;
    else if (character === "]") depth--;
    else if (character === ">" && depth <= 0) return i + 1;
  }
  return -1;
}
