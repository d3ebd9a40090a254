// Makes a body ready for display: decoded, recognised, pretty-printed. All of it is bounded, and all of it is text for a
// page or a terminal to show as text: nothing in here becomes markup.
import type { BodyView } from "@expose/protocol";
import { decodeBody } from "../decode/decode-body.ts";
import { viewForm } from "./form.ts";
import { viewHex } from "./hex.ts";
import { readImage } from "./image.ts";
import { viewJson } from "./json.ts";
import { parseMediaType, type MediaType } from "./media-type.ts";
import { viewMultipart } from "./multipart.ts";
import { decodeText, looksLikeText } from "./text.ts";
import { viewXml } from "./xml.ts";

/**
 * Never rejects.
 *
 * @param contentType value of Content-Type as it passed; what the bytes show goes before it for images
 * @param contentEncoding value of Content-Encoding, several fields joined by commas
 * @param bytes what is kept of the body, content codings as they passed
 * @param truncated whether that is not all of it
 */
export async function viewBody(
  contentType: string | undefined,
  contentEncoding: string | undefined,
  bytes: Buffer,
  truncated: boolean,
): Promise<BodyView> {
  if (bytes.length === 0) return { kind: "empty", bytes: 0 };
  const body = await decodeBody(bytes, contentEncoding, MAX_DECODED_BYTES);
  const view = await viewDecoded(
    parseMediaType(contentType),
    body.bytes,
    truncated || body.truncated,
  );
  const notes = [
    // A body that was cut before it came here ends in the middle of its coding, which is no fault of its own.
    truncated && body.truncated && body.bytes.length < MAX_DECODED_BYTES
      ? undefined
      : body.note,
    view.note,
  ].filter((note) => note !== undefined);
  return {
    ...view,
    bytes: body.bytes.length,
    ...(body.decoded.length > 0 && { decoded: body.decoded }),
    ...(notes.length > 0 && { note: notes.join(" ") }),
  };
}

const MAX_DECODED_BYTES = 16 * 1024 * 1024;

/** Views beyond this show their beginning: nobody reads more, and a page has to stay fluid. */
const MAX_VIEWED_BYTES = 1024 * 1024;

async function viewDecoded(
  media: MediaType,
  bytes: Buffer,
  truncated: boolean,
): Promise<BodyView> {
  const image = readImage(bytes);
  if (image)
    return { kind: "image", ...image, ...(truncated && { truncated }) };
  const shown = bytes.subarray(0, MAX_VIEWED_BYTES);
  const cut = truncated || shown.length < bytes.length;
  const view = await viewShown(media, shown, cut);
  return {
    ...(media.type !== undefined && { type: media.type }),
    ...view,
    ...(cut && { truncated: true }),
  };
}

async function viewShown(
  media: MediaType,
  shown: Buffer,
  cut: boolean,
): Promise<BodyView> {
  const { type = "", parameters } = media;
  if (type.startsWith("multipart/") && parameters.has("boundary"))
    return viewMultipart(shown, parameters.get("boundary")!, cut);
  if (!isTextual(type) && !looksLikeText(shown, cut)) return viewHex(shown);
  const { text, note } = decodeText(shown, parameters.get("charset"), cut);
  return {
    ...(await viewText(type, text, cut)),
    ...(note !== undefined && { note }),
  };
}

async function viewText(
  type: string,
  text: string,
  cut: boolean,
): Promise<BodyView> {
  if (type === "application/x-www-form-urlencoded") return viewForm(text, cut);
  if (isJson(type)) return viewJson(text, cut, LINES.has(type));
  if (isXml(type)) return viewXml(text, cut);
  // What is sent as text/plain, or as nothing at all, is often JSON or XML: the view says so when it holds.
  if (UNSPECIFIC.has(type)) {
    const guess = /^\s*[[{]/.test(text)
      ? await viewJson(text, cut, false)
      : /^\s*<\?xml\s/.test(text)
        ? await viewXml(text, cut)
        : undefined;
    if (guess && !guess.error) return guess;
  }
  return { kind: "text", text };
}

const UNSPECIFIC: ReadonlySet<string> = new Set([
  "",
  "text/plain",
  "application/octet-stream",
]);

const LINES: ReadonlySet<string> = new Set([
  "application/x-ndjson",
  "application/ndjson",
  "application/jsonl",
  "application/x-jsonlines",
  "application/json-seq",
]);

const isJson = (type: string): boolean =>
  /^(?:application|text)\/(?:.+\+)?json$/.test(type) || LINES.has(type);

const isXml = (type: string): boolean => /[/+]xml$/.test(type);

const isTextual = (type: string): boolean =>
  type.startsWith("text/") ||
  isJson(type) ||
  isXml(type) ||
  type === "application/x-www-form-urlencoded" ||
  /^application\/(?:javascript|ecmascript|graphql|sql|yaml|x-yaml|toml|x-sh)$/.test(
    type,
  );
