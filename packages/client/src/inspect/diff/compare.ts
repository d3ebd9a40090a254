// What differs between two responses: their statuses, their headers, and their bodies, JSON by structure and text by
// line.
import type {
  ComparedBody,
  ComparedValue,
  Comparison,
  Exchange,
  HeaderLine,
} from "@expose/protocol";
import { compareJson, parseExactJson } from "./json.ts";
import { compareText } from "./text.ts";

/** One side: an exchange, and its response's body with the content coding undone where that could be. */
export interface ComparedSide {
  readonly exchange: Exchange;
  readonly body: Buffer;
  /** Whether the body is only the start of what there was. */
  readonly truncated: boolean;
}

/** Bytes of a body beyond which only the start is compared. */
const MAX_BODY_BYTES = 1024 * 1024;

/** Compares two responses. Takes bounded time and gives a bounded answer; never throws. */
export function compareResponses(
  left: ComparedSide,
  right: ComparedSide,
): Comparison {
  return {
    status: {
      ...(left.exchange.status !== undefined && {
        left: left.exchange.status,
      }),
      ...(right.exchange.status !== undefined && {
        right: right.exchange.status,
      }),
    },
    headers: compareHeaders(
      left.exchange.response?.headers ?? [],
      right.exchange.response?.headers ?? [],
    ),
    body: compareBodies(left, right),
  };
}

// They say when an answer was made and how it was carried, not what it is.
const VOLATILE = new Set(["date", "age", "connection", "keep-alive"]);

/** How many differences there are that mean something: the time of day is none. */
export function countChanges({ status, headers, body }: Comparison): number {
  return (
    Number(status.left !== status.right) +
    headers.filter(({ path }) => !VOLATILE.has(path.toLowerCase())).length +
    (body.kind === "json"
      ? (body.changes?.length ?? 0)
      : body.kind === "text"
        ? (body.lines?.filter(({ kind }) => kind !== "same").length ?? 0)
        : Number(body.kind === "binary"))
  );
}

function compareHeaders(
  left: readonly HeaderLine[],
  right: readonly HeaderLine[],
): ComparedValue[] {
  const before = group(left);
  const after = group(right);
  const changes: ComparedValue[] = [];
  for (const key of new Set([...before.keys(), ...after.keys()])) {
    const a = before.get(key);
    const b = after.get(key);
    if (a?.value === b?.value) continue;
    changes.push({
      path: (b ?? a)!.name,
      kind: a === undefined ? "added" : b === undefined ? "removed" : "changed",
      ...(a && { left: a.value }),
      ...(b && { right: b.value }),
    });
  }
  return changes;
}

// Lines of one name belong together (RFC 9110 section 5.3); their order among others says nothing.
function group(
  lines: readonly HeaderLine[],
): Map<string, { name: string; value: string }> {
  const groups = new Map<string, { name: string; value: string }>();
  for (const [name, value] of lines) {
    const key = name.toLowerCase();
    const known = groups.get(key);
    groups.set(key, {
      name: known?.name ?? name,
      value: known ? `${known.value}\n${value}` : value,
    });
  }
  return groups;
}

function compareBodies(left: ComparedSide, right: ComparedSide): ComparedBody {
  const truncated =
    left.truncated ||
    right.truncated ||
    left.body.length > MAX_BODY_BYTES ||
    right.body.length > MAX_BODY_BYTES;
  const a = left.body.subarray(0, MAX_BODY_BYTES);
  const b = right.body.subarray(0, MAX_BODY_BYTES);
  const cut = truncated ? { truncated } : {};
  if (a.equals(b) && left.body.length === right.body.length)
    return { kind: "same", ...cut };
  const aText = readText(a);
  const bText = readText(b);
  if (aText === undefined || bText === undefined)
    return { kind: "binary", ...cut };
  const aJson = truncated ? undefined : parseExactJson(aText);
  const bJson = truncated ? undefined : parseExactJson(bText);
  if (aJson && bJson) {
    const compared = compareJson(aJson.value, bJson.value);
    return {
      kind: "json",
      changes: compared.changes,
      ...(compared.truncated && { truncated: true }),
    };
  }
  const compared = compareText(aText, bText);
  return {
    kind: "text",
    lines: compared.lines,
    ...((truncated || compared.truncated) && { truncated: true }),
  };
}

// What is valid UTF-8 without a zero is text, up to a character that was cut at the end.
function readText(bytes: Buffer): string | undefined {
  if (bytes.includes(0)) return undefined;
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes, {
      stream: true,
    });
  } catch {
    return undefined;
  }
}
