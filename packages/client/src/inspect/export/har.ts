// Exchanges as HAR 1.2 (http://www.softwareishard.com/blog/har-12-spec/), WebSocket messages as Chromium writes them.
import { isUtf8 } from "node:buffer";
import { PRODUCT_VERSION } from "@expose/protocol/version";
import type {
  CapturedResponse,
  Exchange,
  ExchangeMessage,
  HeaderLine,
} from "@expose/protocol";
import { decodeBody } from "../decode/decode-body.ts";
import { valueOf, valuesOf } from "../header-values.ts";
import { viewForm } from "../view/form.ts";
import { parseMediaType } from "../view/media-type.ts";
import type { StoredExchange } from "../capture.ts";
import { urlOf } from "./sent-request.ts";

/** A HAR file's content. Fields that begin with `_` are nobody's but ours and Chromium's. */
export interface Har {
  readonly log: {
    readonly version: "1.2";
    readonly creator: { readonly name: string; readonly version: string };
    readonly entries: readonly HarEntry[];
  };
}

export type HarEntry = Readonly<Record<string, unknown>>;

/** Gives a HAR of all that are HTTP, oldest first; with none, it is empty and valid. */
export async function toHar(
  exchanges: Iterable<StoredExchange> | AsyncIterable<StoredExchange>,
): Promise<Har> {
  const entries: { id: string; entry: HarEntry }[] = [];
  for await (const stored of exchanges)
    if (stored.exchange.request)
      entries.push({ id: stored.exchange.id, entry: await toHarEntry(stored) });
  entries.sort((a, b) => (a.id < b.id ? -1 : 1));
  return {
    log: {
      version: "1.2",
      creator: { name: "expose", version: PRODUCT_VERSION },
      entries: entries.map(({ entry }) => entry),
    },
  };
}

/** One entry. Bodies are decoded as far as 16 MB. */
export async function toHarEntry(stored: StoredExchange): Promise<HarEntry> {
  const { exchange, bodies, messages } = stored;
  const notes = [exchange.note, explainRedacted(exchange)].filter(
    (note) => note !== undefined,
  );
  return {
    startedDateTime: new Date(exchange.startedAt).toISOString(),
    time: exchange.durationMs ?? 0,
    request: writeRequest(exchange, bodies.request),
    response: await writeResponse(exchange.response, bodies.response),
    cache: {},
    timings: writeTimings(exchange),
    ...(notes.length > 0 && { comment: notes.join(" ") }),
    _id: exchange.id,
    _resourceType: resourceType(exchange),
    ...(exchange.kind === "websocket" && {
      _webSocketMessages: messages.flatMap((message) =>
        writeMessage(exchange, message),
      ),
    }),
    ...(exchange.webhook && { _webhook: exchange.webhook }),
  };
}

function writeRequest(exchange: Exchange, body: Buffer): HarEntry {
  const request = exchange.request!;
  const url = toUrl(exchange);
  return {
    method: request.method,
    url,
    httpVersion: `HTTP/${request.version}`,
    cookies: valuesOf(request.headers, "cookie").flatMap(readCookies),
    headers: writeHeaders(request.headers),
    queryString: readQuery(url),
    ...(body.length > 0 && {
      postData: writePostData(
        body,
        valueOf(request.headers, "content-type") ?? "",
      ),
    }),
    headersSize: sizeOf(
      `${request.method} ${request.target} HTTP/${request.version}`,
      request.headers,
    ),
    bodySize: request.body.bytes,
  };
}

function writePostData(body: Buffer, mimeType: string): HarEntry {
  const isForm =
    parseMediaType(mimeType).type === "application/x-www-form-urlencoded";
  const isText = isUtf8(body);
  return {
    mimeType,
    // The specification has text or params; Chromium writes both.
    ...(isForm && { params: viewForm(body.toString(), false).fields ?? [] }),
    text: isText ? body.toString() : body.toString("base64"),
    // There is no field for it in postData; this is the one of content with the underscore of what is not specified.
    ...(!isText && { _encoding: "base64" }),
  };
}

async function writeResponse(
  response: CapturedResponse | undefined,
  body: Buffer,
): Promise<HarEntry> {
  // As Chromium writes a request without an answer.
  if (!response)
    return {
      status: 0,
      statusText: "",
      httpVersion: "",
      cookies: [],
      headers: [],
      content: { size: 0, mimeType: "x-unknown" },
      redirectURL: "",
      headersSize: -1,
      bodySize: -1,
    };
  const coding = valuesOf(response.headers, "content-encoding").join(", ");
  const decoded = await decodeBody(body, coding);
  const { bytes } = decoded;
  const isText = isUtf8(bytes);
  const cut =
    decoded.truncated || response.body.keptBytes < response.body.bytes;
  const note = cut
    ? `Only the beginning is kept. ${decoded.note ?? ""}`.trim()
    : decoded.note;
  return {
    status: response.status,
    statusText: response.reason,
    httpVersion: `HTTP/${response.version}`,
    cookies: valuesOf(response.headers, "set-cookie").map(readSetCookie),
    headers: writeHeaders(response.headers),
    content: {
      size: bytes.length,
      ...(decoded.decoded.length > 0 && {
        compression: bytes.length - response.body.bytes,
      }),
      mimeType: valueOf(response.headers, "content-type") ?? "x-unknown",
      ...(bytes.length > 0 && {
        text: isText ? bytes.toString() : bytes.toString("base64"),
        ...(!isText && { encoding: "base64" }),
      }),
      ...(note !== undefined && { comment: note }),
    },
    redirectURL: valueOf(response.headers, "location") ?? "",
    headersSize: sizeOf(
      `HTTP/${response.version} ${response.status} ${response.reason}`,
      response.headers,
    ),
    bodySize: response.body.bytes,
  };
}

// blocked, dns, connect and ssl are the visitor's, and happen where we do not see them.
function writeTimings({ timing, durationMs }: Exchange): HarEntry {
  const sent = timing.requestEndMs ?? timing.requestHeadMs ?? 0;
  const began = timing.responseStartMs ?? timing.responseHeadMs ?? sent;
  const ended = timing.responseEndMs ?? durationMs ?? began;
  return {
    blocked: -1,
    dns: -1,
    connect: -1,
    ssl: -1,
    send: sent,
    wait: Math.max(0, began - sent),
    receive: Math.max(0, ended - began),
  };
}

// As in Chromium's "Save all as HAR": seconds since 1970, opcode 1 for text and 2 for the base64 of anything else.
function writeMessage(
  { startedAt }: Exchange,
  { direction, atMs, type, data, encoding }: ExchangeMessage,
): HarEntry[] {
  if (type !== "text" && type !== "binary") return [];
  return [
    {
      type: direction === "in" ? "send" : "receive",
      time: (startedAt + atMs) / 1_000,
      opcode: encoding === "utf8" ? 1 : 2,
      data,
    },
  ];
}

// A name that Chromium knows: its network panel sorts by it.
function resourceType({ kind, responseType = "" }: Exchange): string {
  if (kind === "websocket") return "websocket";
  if (kind === "events") return "eventsource";
  const { type = "" } = parseMediaType(responseType);
  if (type === "text/html") return "document";
  if (type === "text/css") return "stylesheet";
  if (type.endsWith("javascript")) return "script";
  if (type.startsWith("image/")) return "image";
  if (type.startsWith("font/")) return "font";
  return "fetch";
}

const writeHeaders = (headers: readonly HeaderLine[]) =>
  headers.map(([name, value]) => ({ name, value }));

// With the line breaks and the empty line that ends it.
const sizeOf = (start: string, headers: readonly HeaderLine[]): number =>
  headers.reduce(
    (sum, [name, value]) => sum + name.length + value.length + 4,
    start.length + 4,
  );

// The specification wants an absolute URL (RFC 3986), whatever the visitor wrote.
function toUrl(exchange: Exchange): string {
  const written = urlOf(exchange);
  const url = new URL(URL.canParse(written) ? written : `${exchange.origin}/`);
  const rest = url.href
    .slice(url.origin.length)
    .replace(
      /%(?![0-9a-f]{2})|[^\w.~:/?@!$&'()*+,;=%-]/gi,
      (character) =>
        `%${character.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0")}`,
    );
  const origin =
    exchange.kind === "websocket"
      ? url.origin.replace(/^http/, "ws")
      : url.origin;
  return origin + rest;
}

const readQuery = (url: string) =>
  [...new URL(url).searchParams].map(([name, value]) => ({ name, value }));

const readCookies = (value: string) =>
  value
    .split(";")
    .map((pair) => pair.trim())
    .filter((pair) => pair !== "")
    .map(readPair);

function readPair(pair: string): { name: string; value: string } {
  const equals = pair.indexOf("=");
  return equals < 0
    ? { name: "", value: pair }
    : { name: pair.slice(0, equals), value: pair.slice(equals + 1) };
}

// RFC 6265 section 5.2, for what HAR has fields for.
function readSetCookie(value: string): HarEntry {
  const [first = "", ...attributes] = value
    .split(";")
    .map((part) => part.trim());
  const of = (wanted: string): string | undefined =>
    attributes
      .map(readPair)
      .find((pair) => (pair.name || pair.value).toLowerCase() === wanted)
      ?.value;
  const has = (wanted: string): boolean =>
    attributes.some((attribute) => attribute.toLowerCase() === wanted);
  const expires = Date.parse(of("expires") ?? "");
  const path = of("path");
  const domain = of("domain");
  return {
    ...readPair(first),
    ...(path !== undefined && { path }),
    ...(domain !== undefined && { domain }),
    ...(!Number.isNaN(expires) && { expires: new Date(expires).toISOString() }),
    httpOnly: has("httponly"),
    secure: has("secure"),
  };
}

const explainRedacted = ({ redacted }: Exchange): string | undefined =>
  redacted.length === 0
    ? undefined
    : `The history does not keep the value of ${redacted.join(", ")}.`;
