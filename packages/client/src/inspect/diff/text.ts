// Compares two texts line by line, within bounds of time and length.
import { diffLines } from "diff";

/** A line of a unified diff without limits of context. */
export interface ComparedLine {
  readonly kind: "same" | "added" | "removed";
  readonly text: string;
}

const MAX_LINES = 5_000;
const MAX_LINE_CHARACTERS = 2_000;
const MAX_EDITS = 2_000;
const MAX_MS = 100;

/** @returns lines in order; `truncated` when lines or ends of lines were left out */
export function compareText(
  left: string,
  right: string,
): { lines: ComparedLine[]; truncated: boolean } {
  const changes = diffLines(left, right, {
    maxEditLength: MAX_EDITS,
    timeout: MAX_MS,
  }) ?? [
    // Too different to be worth the time: all of the one, then all of the other.
    { removed: true, added: false, value: left },
    { removed: false, added: true, value: right },
  ];
  const lines: ComparedLine[] = [];
  let truncated = false;
  for (const { added, removed, value } of changes) {
    const kind = added ? "added" : removed ? "removed" : "same";
    for (const text of value.replace(/\n$/, "").split("\n")) {
      if (lines.length >= MAX_LINES) return { lines, truncated: true };
      if (text.length > MAX_LINE_CHARACTERS) truncated = true;
      lines.push({ kind, text: text.slice(0, MAX_LINE_CHARACTERS) });
    }
  }
  return { lines, truncated };
}
