// The values of the filter language: statuses, comparisons, durations, sizes and times.

/** What is wrong with a value; whoever knows the place adds it. */
export class ValueError extends Error {
  override name = "ValueError";
}

/** @throws ValueError */
export function oneOf<const T extends string>(
  value: string,
  words: readonly T[],
): T {
  const found = words.find((word) => word === value.toLowerCase());
  if (found === undefined)
    throw new ValueError(
      `expected ${words.join(", ")}, and this is ${quote(value)}.`,
    );
  return found;
}

/** `404`, `5xx`, `>=400`, `400..499`, `none`. @throws ValueError */
export function parseStatus(
  value: string,
): (status: number | undefined) => boolean {
  if (value.toLowerCase() === "none") return (status) => status === undefined;
  const [, digit] = /^([1-5])xx$/i.exec(value) ?? [];
  if (digit !== undefined)
    return (status) => Math.floor((status ?? 0) / 100) === Number(digit);
  const wanted = parseComparison(value, readStatus, "=");
  return (status) => status !== undefined && wanted(status);
}

function readStatus(text: string): number {
  if (!/^\d{3}$/.test(text))
    throw new ValueError(
      `expected 404, 5xx, >=400, 400..499 or none, and this is ${quote(text)}.`,
    );
  return Number(text);
}

/**
 * `>=400`, `400..499`, and a value alone, which means `usual`.
 *
 * @throws ValueError
 */
export function parseComparison(
  value: string,
  read: (text: string) => number,
  usual: "=" | ">=" = ">=",
): (actual: number) => boolean {
  const range = value.split("..");
  if (range.length === 2) {
    const [from, to] = range.map(read) as [number, number];
    return (actual) => actual >= from && actual <= to;
  }
  const [, sign = "", rest = ""] = /^([<>]=?|=)?(.*)$/s.exec(value) ?? [];
  const bound = read(rest);
  return comparisons[(sign || usual) as keyof typeof comparisons](bound);
}

const comparisons = {
  "=": (bound: number) => (actual: number) => actual === bound,
  ">": (bound: number) => (actual: number) => actual > bound,
  ">=": (bound: number) => (actual: number) => actual >= bound,
  "<": (bound: number) => (actual: number) => actual < bound,
  "<=": (bound: number) => (actual: number) => actual <= bound,
};

/** `500ms`, `2s`, `10m`, `3h`, `2d`, `1w`. @throws ValueError */
export const parseDurationMs = (text: string): number =>
  readQuantity(text, DURATIONS, "500ms, 2s or 10m");

/** `800`, `800b`, `10kb`, `1.5mb`: thousands, as the page shows them. @throws ValueError */
export const parseSize = (text: string): number =>
  readQuantity(text, SIZES, "800b, 10kb or 1.5mb");

const DURATIONS = new Map([
  ["ms", 1],
  ["s", 1_000],
  ["m", 60_000],
  ["h", 3_600_000],
  ["d", 86_400_000],
  ["w", 7 * 86_400_000],
]);

const SIZES = new Map([
  ["", 1],
  ["b", 1],
  ["k", 1e3],
  ["kb", 1e3],
  ["m", 1e6],
  ["mb", 1e6],
  ["g", 1e9],
  ["gb", 1e9],
]);

function readQuantity(
  text: string,
  units: ReadonlyMap<string, number>,
  examples: string,
): number {
  const [, number = "", unit = ""] =
    /^(\d{1,12}(?:\.\d{1,6})?)([a-z]*)$/i.exec(text) ?? [];
  const factor = number === "" ? undefined : units.get(unit.toLowerCase());
  if (factor === undefined)
    throw new ValueError(
      `expected something like ${examples}, and this is ${quote(text)}.`,
    );
  return Number(number) * factor;
}

/** `10m` ago, `14:30` (the last one), `2026-01-31`, `2026-01-31T14:30[:15]`, in local time unless a zone is given. @throws ValueError */
export function parseTime(text: string, now: number): number {
  if (/^[\d.]+[a-z]+$/i.test(text)) return now - parseDurationMs(text);
  const time = parseClock(text, now) ?? parseDate(text);
  if (time === undefined)
    throw new ValueError(
      `expected something like 10m, 14:30, 2026-01-31 or 2026-01-31T14:30, and this is ${quote(text)}.`,
    );
  return time;
}

function parseClock(text: string, now: number): number | undefined {
  const [, hours, minutes, seconds = "0"] =
    /^(\d{1,2}):(\d\d)(?::(\d\d))?$/.exec(text) ?? [];
  if (
    hours === undefined ||
    Number(hours) > 23 ||
    Number(minutes) > 59 ||
    Number(seconds) > 59
  )
    return undefined;
  const date = new Date(now);
  date.setHours(Number(hours), Number(minutes), Number(seconds), 0);
  // Half past two, said at noon, is yesterday's.
  if (date.getTime() > now) date.setDate(date.getDate() - 1);
  return date.getTime();
}

function parseDate(text: string): number | undefined {
  const match =
    /^\d{4}-\d\d-\d\d(?:T\d\d:\d\d(?::\d\d(?:\.\d{1,3})?)?(?:Z|[+-]\d\d:\d\d)?)?$/i.exec(
      text,
    );
  if (!match) return undefined;
  // A date alone would be read as UTC (ECMA-262, date time string format).
  const time = Date.parse(
    text.length === "2026-01-31".length ? `${text}T00:00` : text,
  );
  return Number.isNaN(time) ? undefined : time;
}

const MAX_QUOTED = 40;
const quote = (text: string): string =>
  `"${text.length > MAX_QUOTED ? `${text.slice(0, MAX_QUOTED)}…` : text}"`;
