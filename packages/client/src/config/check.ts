// Holds a file's content against the schema and says everything that is wrong with it at once.
import * as v from "valibot";
import { ExposeError } from "../errors.ts";
import { nearest } from "./nearest.ts";
import { configSchema, tunnelSchema, type ConfigFile } from "./schema.ts";
import type { YamlFile } from "./yaml-file.ts";

/** @throws ExposeError `config-invalid`, one line for each mistake with the file's line and the key's path */
export function checkConfig(path: string, file: YamlFile): ConfigFile {
  if (file.value === undefined) return {};
  const result = v.safeParse(configSchema, file.value);
  if (result.success) return result.output;
  const problems = result.issues
    .map((issue) => ({ ...explain(issue), at: pathOf(issue) }))
    .map((problem) => ({ ...problem, line: file.lineOf(problem.at) }))
    .sort((a, b) => a.line - b.line)
    .map(
      ({ line, at, text }) =>
        `  ${path}:${line}: ${at.length > 0 ? `${at.join(".")}: ` : ""}${text}`,
    );
  throw new ExposeError(
    "config-invalid",
    `The configuration file has ${problems.length === 1 ? "a mistake" : `${problems.length} mistakes`}:\n${problems.join("\n")}`,
  );
}

type Issue = v.InferIssue<typeof configSchema>;

function explain(issue: Issue): { text: string } {
  if (issue.type !== "strict_object") return { text: issue.message };
  if (issue.expected !== "never")
    return {
      text: `expected ${pathOf(issue).length > 0 ? "a tunnel" : "keys and values"}`,
    };
  const known = Object.keys(
    pathOf(issue).length > 1 ? tunnelSchema.entries : configSchema.entries,
  );
  const meant = nearest(String(pathOf(issue).at(-1)), known);
  return {
    text: meant
      ? `there is no such key; is it ${meant}?`
      : `there is no such key; there are ${known.join(", ")}`,
  };
}

const pathOf = (issue: Issue): string[] =>
  (issue.path ?? []).map(({ key }) => String(key));
