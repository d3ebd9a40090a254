// An exchange as a test for Vitest: the same request has to get the same answer again.
import type { CapturedResponse, Exchange } from "@expose/protocol";
import { ExposeError } from "../../errors.ts";
import type { StoredExchange } from "../capture.ts";
import { decodeBody } from "../decode/decode-body.ts";
import { joinedValueOf } from "../header-values.ts";
import { parseMediaType } from "../view/media-type.ts";
import {
  explainNoFetch,
  fetchOptions,
  lineComment,
  literal,
  toAscii,
} from "./javascript.ts";
import { explainMissing, toSentRequest } from "./sent-request.ts";

/**
 * @param stored one that checkRequest() let pass
 * @throws ExposeError `export-refused` when there is no response to expect, or fetch does not send such a request
 */
export async function toVitest({
  exchange,
  bodies,
}: StoredExchange): Promise<string> {
  const { response } = exchange;
  const request = toSentRequest(exchange, bodies.request)!;
  const noFetch = explainNoFetch(request);
  if (noFetch !== undefined) throw refused(noFetch);
  if (!response || exchange.kind === "websocket")
    throw refused("It has no response that a test could expect.");
  const type = joinedValueOf(response.headers, "content-type");
  const path = request.url.replace(/^https?:\/\/[^/]*/i, "") || "/";
  return `// Captured by expose on ${new Date(exchange.startedAt).toISOString()}.
import { expect, test } from "vitest";

// Where the service is; the test changes nothing else of the request.
const SERVICE = process.env["SERVICE_URL"] ?? ${literal(serviceOf(exchange))};

${lineComment(explainMissing(request))}test(${literal(`${exchange.method} ${exchange.target} answers ${response.status}`)}, async () => {
  const response = await fetch(SERVICE + ${literal(path)}, {
${fetchOptions(request, "    ")}
  });
  expect(response.status).toBe(${response.status});
${type === undefined ? "" : `  expect(response.headers.get("content-type")).toBe(${literal(type)});\n`}${await expectBody(exchange, response, bodies.response, type)}});
`;
}

const refused = (why: string): ExposeError =>
  new ExposeError(
    "export-refused",
    `This exchange cannot be written as a test. ${why}`,
  );

// Beyond that a test is no longer something that somebody reads.
const MAX_EXPECTED_BYTES = 256 * 1024;

async function expectBody(
  exchange: Exchange,
  response: CapturedResponse,
  bytes: Buffer,
  type: string | undefined,
): Promise<string> {
  if (exchange.kind === "events")
    return "  // The body is a stream of events, which differ in time.\n  await response.body?.cancel();\n";
  // fetch undoes the content codings.
  const body = await decodeBody(
    bytes,
    joinedValueOf(response.headers, "content-encoding"),
    MAX_EXPECTED_BYTES,
  );
  if (
    response.body.keptBytes < response.body.bytes ||
    body.truncated ||
    body.note !== undefined ||
    body.bytes.length > MAX_EXPECTED_BYTES
  )
    return "  // The body is too long to be expected word by word.\n  await response.arrayBuffer();\n";
  const text = decodeUtf8(body.bytes);
  if (text === undefined)
    return `  const bytes = Buffer.from(await response.arrayBuffer());\n  expect(bytes.toString("base64")).toBe(${literal(body.bytes.toString("base64"))});\n`;
  const value = /[/+]json$/.test(parseMediaType(type).type ?? "")
    ? parseJson(text)
    : undefined;
  return value === undefined
    ? `  expect(await response.text()).toBe(${literal(text)});\n`
    : `  expect(await response.json()).toEqual(${writeValue(text, value.value)});\n`;
}

function decodeUtf8(bytes: Buffer): string | undefined {
  try {
    // A byte order mark is taken away, as fetch does it.
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

function parseJson(text: string): { value: unknown } | undefined {
  try {
    return { value: JSON.parse(text) as unknown };
  } catch {
    return undefined;
  }
}

// JSON is JavaScript, but for one key that would set a prototype.
function writeValue(text: string, value: unknown): string {
  if (text.includes("__proto__")) return `JSON.parse(${literal(text)})`;
  return toAscii(JSON.stringify(value, undefined, 2)).replaceAll("\n", "\n  ");
}

// The upstream as a URL, where it is one.
const serviceOf = ({ upstream, origin }: Exchange): string =>
  /^https?:\/\//.test(upstream)
    ? upstream.replace(/\/$/, "")
    : /^[\w.[\]:-]+:\d+$/.test(upstream)
      ? `http://${upstream}`
      : origin;
