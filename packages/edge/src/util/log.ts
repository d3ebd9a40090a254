// The edge's own log: what it does and what an operator should see. One line a fact, on stderr. Requests have their
// own log, in access-log/.
import { escapeControls } from "./escape.ts";

/** How loud; each level includes those before it. */
export const logLevels = ["error", "warn", "info", "debug"] as const;
/** One of {@link logLevels}. */
export type LogLevel = (typeof logLevels)[number];

/** Facts that go with a message. Values are shown as JSON would; `undefined` is left out, an Error gives its text. */
export type LogFields = Record<string, unknown>;

/** Where facts go. The message is constant and names the fact; what varies goes into the fields. */
export type Log = {
  readonly [Level in LogLevel]: (message: string, fields?: LogFields) => void;
};

/** How the log looks and where it goes. */
export interface LogOptions {
  /** Default: `info`. */
  readonly level?: LogLevel;
  /** `text` (default) for people, `json` for one object a line. */
  readonly format?: "text" | "json";
  /** Takes one line, newline included. Default: stderr. */
  readonly write?: (line: string) => void;
  /** The clock, milliseconds since 1970. Default: Date.now. */
  readonly now?: () => number;
}

// A field can hold text of strangers; one fact must not fill a screen.
const MAX_VALUE_LENGTH = 1_000;

/** Builds a log. Control characters are escaped, so a line is one line whatever the fields hold. */
export function createLog(options: LogOptions = {}): Log {
  const format = options.format === "json" ? formatJson : formatText;
  const write =
    options.write ?? ((line: string) => void process.stderr.write(line));
  const now = options.now ?? Date.now;

  return logThrough(options.level ?? "info", (level, message, fields) => {
    const time = new Date(now()).toISOString();
    write(`${escapeControls(format(time, level, message, fields))}\n`);
  });
}

/** A log that hands each fact on. @param loudest the last of the levels that are heard */
export function logThrough(
  loudest: LogLevel,
  take: (level: LogLevel, message: string, fields: LogFields) => void,
): Log {
  const threshold = logLevels.indexOf(loudest);
  const logAt =
    (level: LogLevel): Log[LogLevel] =>
    (message, fields = {}) => {
      if (logLevels.indexOf(level) <= threshold) take(level, message, fields);
    };
  return {
    error: logAt("error"),
    warn: logAt("warn"),
    info: logAt("info"),
    debug: logAt("debug"),
  };
}

/** A log that nobody hears. */
export const silentLog: Log = {
  error() {},
  warn() {},
  info() {},
  debug() {},
};

function formatJson(
  time: string,
  level: LogLevel,
  message: string,
  fields: LogFields,
): string {
  const plain: LogFields = {};
  for (const [key, value] of Object.entries(fields)) plain[key] = show(value);
  // The three that every line has come last in the spread: a field cannot replace them.
  return JSON.stringify({ ...plain, time, level, message });
}

function formatText(
  time: string,
  level: LogLevel,
  message: string,
  fields: LogFields,
): string {
  let line = `${time} ${level.padEnd(5)} ${message}`;
  for (const [key, raw] of Object.entries(fields)) {
    const value = show(raw);
    if (value === undefined) continue;
    const bare =
      typeof value === "string" ? value : (JSON.stringify(value) ?? "");
    line += ` ${key}=${/^[^\s"=]+$/.test(bare) ? bare : JSON.stringify(bare)}`;
  }
  return line;
}

function show(value: unknown): unknown {
  if (value instanceof Error) return show(value.message);
  if (typeof value === "string") return value.slice(0, MAX_VALUE_LENGTH);
  if (typeof value === "bigint") return value.toString();
  return value;
}
