// A YAML file that remembers on which line everything stands, and its comments.
import {
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  parseDocument,
  type Document,
  type Node,
} from "yaml";
import { ExposeError } from "../errors.ts";

/** A YAML document that was read. */
export interface YamlFile {
  readonly document: Document;
  /** Undefined for an empty file. */
  readonly value: unknown;
  /** Line of a key, or of the deepest of its parents that stands in the file. Counts from 1. */
  lineOf(path: readonly PropertyKey[]): number;
}

// Lists may be shared by aliases; without a bound a short file could unfold into gigabytes.
const MAX_ALIASES = 100;

/** @throws ExposeError `config-unreadable`, with every mistake and its line */
export function parseYamlFile(path: string, text: string): YamlFile {
  const lines = new LineCounter();
  const document = parseDocument(text, {
    lineCounter: lines,
    prettyErrors: false,
  });
  const problems = document.errors.map(
    (error) => `${lines.linePos(error.pos[0]).line}: ${error.message}`,
  );
  let value: unknown;
  if (problems.length === 0)
    try {
      value = document.toJS({ maxAliasCount: MAX_ALIASES }) ?? undefined;
    } catch (error) {
      problems.push(`1: ${error instanceof Error ? error.message : "?"}`);
    }
  if (problems.length > 0)
    throw new ExposeError(
      "config-unreadable",
      `The configuration file is not valid YAML:\n${problems.map((problem) => `  ${path}:${problem}`).join("\n")}`,
    );
  return {
    document,
    value,
    lineOf: (keys) => lines.linePos(offsetOf(document, keys)).line,
  };
}

function offsetOf(document: Document, path: readonly PropertyKey[]): number {
  let node = document.contents as Node | null;
  let offset = node?.range?.[0] ?? 0;
  for (const step of path) {
    if (isMap(node)) {
      const pair = node.items.find(
        ({ key }) => isScalar(key) && String(key.value) === String(step),
      );
      if (!pair) break;
      offset = (pair.key as Node).range?.[0] ?? offset;
      node = pair.value as Node | null;
    } else if (isSeq(node)) {
      node = (node.items[Number(step)] ?? null) as Node | null;
      offset = node?.range?.[0] ?? offset;
    } else break;
  }
  return offset;
}
