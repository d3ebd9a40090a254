// The kinds of keys that the configuration has. Each carries its description and kind, from which flags, environment
// variables, JSON schema and documentation are derived.
import * as v from "valibot";
import {
  DURATION,
  parseDuration,
  parseSize,
  quote,
  SIZE,
  ValueProblem,
} from "./values.ts";

/** What a key takes, for flags and documentation. */
export type FieldKind =
  | "text"
  | "path"
  | "duration"
  | "size"
  | "count"
  | "toggle"
  | "choice"
  | "list";

/** What is known of a key beside its type and description. */
export interface FieldMetadata {
  readonly kind: FieldKind;
  /** What stands for the value in help and documentation: `HOST:PORT`. */
  readonly shows: string;
  /** A second, shorter flag, without its dashes. */
  readonly alias?: string;
}

type Reader<T> = (text: string) => T;

/** Text that a reader turns into a value. */
export const text = <T>(shows: string, description: string, read: Reader<T>) =>
  v.pipe(
    v.string(expected("text")),
    v.description(description),
    v.metadata({ kind: "text", shows } satisfies FieldMetadata),
    reading(read),
  );

/** A file or folder. A relative one in the YAML file counts from that file's folder, elsewhere from the current one. */
export const path = (description: string) =>
  v.pipe(
    v.string(expected("a path")),
    v.description(description),
    v.metadata({ kind: "path", shows: "PATH" } satisfies FieldMetadata),
    v.nonEmpty("expected a path, got nothing"),
    v.check(
      (given) => !given.startsWith("~") && !given.includes("\0"),
      (issue) =>
        `~ is not expanded here, write the whole path; got ${quote(issue.input)}`,
    ),
  );

/** A duration as text; the value is in milliseconds. `zero` says that 0s is one, which the description explains. */
export const duration = (
  description: string,
  extra: { readonly zero?: boolean } = {},
) =>
  v.pipe(
    v.string(expected("a duration such as 30s or 5m")),
    v.description(description),
    v.metadata({ kind: "duration", shows: "DURATION" } satisfies FieldMetadata),
    v.regex(DURATION, (issue) => explain(parseDuration, issue.input)),
    reading(parseDuration),
    v.check(
      (ms) => ms > 0 || extra.zero === true,
      "expected a duration longer than nothing",
    ),
  );

/** A size as text; the value is in bytes. */
export const size = (description: string, min: number, max: number) =>
  v.pipe(
    v.string(expected("a size such as 16KiB")),
    v.description(description),
    v.metadata({ kind: "size", shows: "SIZE" } satisfies FieldMetadata),
    v.regex(SIZE, (issue) => explain(parseSize, issue.input)),
    reading(parseSize),
    v.check(
      (bytes) => bytes >= min && bytes <= max,
      (issue) =>
        `expected a size from ${min} to ${max} bytes, got ${String(issue.input)}`,
    ),
  );

/** A whole number. */
export const count = (description: string, min: number, max: number) => {
  const message = expected(`a whole number from ${min} to ${max}`);
  return v.pipe(
    v.number(message),
    v.description(description),
    v.metadata({ kind: "count", shows: "NUMBER" } satisfies FieldMetadata),
    v.integer(message),
    v.minValue(min, message),
    v.maxValue(max, message),
  );
};

/** True or false. */
export const toggle = (description: string) =>
  v.pipe(
    v.boolean(expected("true or false")),
    v.description(description),
    v.metadata({ kind: "toggle", shows: "true|false" } satisfies FieldMetadata),
  );

/** One of a few words. */
export const choice = <const Words extends readonly string[]>(
  words: Words,
  description: string,
  extra: { readonly alias?: string } = {},
) =>
  v.pipe(
    v.picklist(words, expected(`one of ${words.join(", ")}`)),
    v.description(description),
    v.metadata({
      kind: "choice",
      shows: words.join("|"),
      ...extra,
    } satisfies FieldMetadata),
  );

/** One text or a list of them; the value is always a list. */
export const list = <T>(
  shows: string,
  description: string,
  read: Reader<T>,
  extra: { readonly min?: number } = {},
) => {
  const message = expected("a text or a list of texts");
  return v.pipe(
    v.union([v.string(), v.array(v.string(message))], message),
    v.description(description),
    v.metadata({ kind: "list", shows } satisfies FieldMetadata),
    v.transform((given) => (typeof given === "string" ? [given] : given)),
    v.array(v.pipe(v.string(), reading(read))),
    v.minLength(extra.min ?? 0, "expected at least one"),
  );
};

function reading<T>(read: Reader<T>) {
  return v.rawTransform<string, T>(({ dataset, addIssue, NEVER }) => {
    try {
      return read(dataset.value);
    } catch (error) {
      if (!(error instanceof ValueProblem)) throw error;
      addIssue({ message: error.message });
      return NEVER;
    }
  });
}

function explain(read: Reader<unknown>, input: string): string {
  try {
    read(input);
  } catch (error) {
    if (error instanceof ValueProblem) return error.message;
  }
  return `cannot be read: ${quote(input)}`;
}

const expected =
  (what: string) =>
  (issue: { readonly input: unknown }): string =>
    issue.input === null
      ? `expected ${what}, and nothing stands there`
      : `expected ${what}, got ${quote(issue.input)}`;
