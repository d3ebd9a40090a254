// Which part of a file answers a request: validators and ranges of RFC 9110, sections 13 and 14. Touches no file.
import type { IncomingHttpHeaders, OutgoingHttpHeaders } from "node:http";

/** What has to be known of a file. */
export interface FileFacts {
  size: number;
  /** Milliseconds since 1970. */
  modifiedMs: number;
  /** Strong entity tag, quotes included. */
  etag: string;
}

/** What to answer. */
export interface AnswerPlan {
  status: 200 | 206 | 304 | 412 | 416;
  headers: OutgoingHttpHeaders;
  /** First byte of the file to send, and how many. */
  start: number;
  length: number;
}

/** @param isGet false for HEAD, for which ranges mean nothing (RFC 9110 section 14.2) */
export function planAnswer(
  request: IncomingHttpHeaders,
  isGet: boolean,
  file: FileFacts,
): AnswerPlan {
  const modified = new Date(file.modifiedMs).toUTCString();
  const validators = { ETag: file.etag, "Last-Modified": modified };
  const empty = (
    status: AnswerPlan["status"],
    headers: OutgoingHttpHeaders,
  ): AnswerPlan => ({ status, headers, start: 0, length: 0 });

  // The order is that of RFC 9110 section 13.2.2.
  if (!meetsPrecondition(request, file))
    return empty(412, { ...validators, "Content-Length": 0 });
  if (isUnchanged(request, file)) return empty(304, validators);

  const range =
    isGet && mayUseRange(request, file.etag, modified)
      ? parseRange(request.range, file.size)
      : undefined;
  if (range === "unsatisfiable")
    return empty(416, {
      ...validators,
      "Content-Length": 0,
      "Content-Range": `bytes */${file.size}`,
    });
  const { start, end } = range ?? { start: 0, end: file.size - 1 };
  const length = end - start + 1;
  return {
    status: range ? 206 : 200,
    headers: {
      ...validators,
      "Accept-Ranges": "bytes",
      "Content-Length": length,
      ...(range && { "Content-Range": `bytes ${start}-${end}/${file.size}` }),
    },
    start,
    length,
  };
}

function meetsPrecondition(
  request: IncomingHttpHeaders,
  file: FileFacts,
): boolean {
  const ifMatch = request["if-match"];
  if (ifMatch !== undefined) return listed(ifMatch, file.etag, false);
  const since = dateOf(request["if-unmodified-since"]);
  return since === undefined || wholeSeconds(file.modifiedMs) <= since;
}

function isUnchanged(request: IncomingHttpHeaders, file: FileFacts): boolean {
  const ifNoneMatch = request["if-none-match"];
  if (ifNoneMatch !== undefined) return listed(ifNoneMatch, file.etag, true);
  const since = dateOf(request["if-modified-since"]);
  return since !== undefined && wholeSeconds(file.modifiedMs) <= since;
}

// RFC 9110 section 13.1.5: a download that was broken off goes on only while the file is the same.
function mayUseRange(
  request: IncomingHttpHeaders,
  etag: string,
  modified: string,
): boolean {
  const ifRange = request["if-range"];
  return ifRange === undefined || ifRange === etag || ifRange === modified;
}

// One range; several in one request may be answered with the whole file (RFC 9110 section 14.2), and are.
function parseRange(
  header: string | undefined,
  size: number,
): { start: number; end: number } | "unsatisfiable" | undefined {
  const match = /^bytes=\s*(\d*)-(\d*)\s*$/i.exec(header ?? "");
  if (!match) return undefined;
  const [, first = "", last = ""] = match;
  if (first === "" && last === "") return undefined;
  if (first === "") {
    const count = Math.min(Number(last), size);
    return count === 0
      ? "unsatisfiable"
      : { start: size - count, end: size - 1 };
  }
  const start = Number(first);
  if (last !== "" && Number(last) < start) return undefined;
  if (start >= size) return "unsatisfiable";
  return {
    start,
    end: last === "" ? size - 1 : Math.min(Number(last), size - 1),
  };
}

function listed(header: string, etag: string, weak: boolean): boolean {
  if (header.trim() === "*") return true;
  return header
    .split(",")
    .map((tag) => (weak ? tag.trim().replace(/^W\//, "") : tag.trim()))
    .includes(etag);
}

function dateOf(header: string | undefined): number | undefined {
  const time = Date.parse(header ?? "");
  return Number.isNaN(time) ? undefined : time;
}

// HTTP's dates have no fractions.
const wholeSeconds = (ms: number): number => Math.floor(ms / 1_000) * 1_000;
