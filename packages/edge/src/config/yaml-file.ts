// Reads the YAML file and remembers on which line each key stands.
import { readFileSync } from "node:fs";
import {
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  parseDocument,
  type Node,
} from "yaml";
import { EdgeError } from "../errors.ts";

/** A YAML file that was read. */
export interface YamlFile {
  readonly value: unknown;
  /** Line of the key, or of the deepest of its parents that stands in the file. Counts from 1. */
  lineOf(path: readonly PropertyKey[]): number;
}

// Lists may be shared by aliases; without a bound a short file could unfold into gigabytes.
const MAX_ALIASES = 100;

/** @throws EdgeError `config-unreadable` */
export function readYamlFile(file: string): YamlFile {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    throw new EdgeError(
      "config-unreadable",
      `The configuration file ${file} cannot be read (${(error as NodeJS.ErrnoException).code}). Check the path and its permissions.`,
      { cause: error },
    );
  }
  const lines = new LineCounter();
  const document = parseDocument(text, {
    lineCounter: lines,
    prettyErrors: false,
  });
  const unreadable = (problems: readonly string[], cause: unknown): EdgeError =>
    new EdgeError(
      "config-unreadable",
      `The configuration file is not valid YAML:\n${problems.map((problem) => `  ${file}:${problem}`).join("\n")}`,
      { cause },
    );
  if (document.errors.length > 0)
    throw unreadable(
      document.errors.map(
        (error) => `${lines.linePos(error.pos[0]).line}: ${error.message}`,
      ),
      document.errors[0],
    );

  let value: unknown;
  try {
    value = document.toJS({ maxAliasCount: MAX_ALIASES });
  } catch (error) {
    throw unreadable([`1: ${(error as Error).message}`], error);
  }
  return {
    value,
    lineOf(path) {
      let offset = document.contents?.range?.[0] ?? 0;
      let node: Node | null = document.contents;
      for (const step of path) {
        if (isMap(node)) {
          const pair = node.items.find(
            ({ key }) => isScalar(key) && String(key.value) === step,
          );
          if (!pair) break;
          offset = (pair.key as Node).range?.[0] ?? offset;
          node = pair.value as Node | null;
        } else if (isSeq(node) && typeof step === "number") {
          node = (node.items[step] as Node | undefined) ?? null;
          offset = node?.range?.[0] ?? offset;
        } else break;
      }
      return lines.linePos(offset).line;
    },
  };
}
