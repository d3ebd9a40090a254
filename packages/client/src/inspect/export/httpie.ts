// An exchange as an HTTPie command (https://httpie.io/docs/cli) that sends the same bytes, from any POSIX shell.
import { isUtf8 } from "node:buffer";
import type { HeaderLine } from "@expose/protocol";
import { ExposeError } from "../../errors.ts";
import {
  comment,
  feedBase64,
  fitsArgument,
  quoteLatin1,
  quoteWord,
} from "./shell.ts";
import { explainMissing, toSentRequest } from "./sent-request.ts";
import type { StoredExchange } from "../capture.ts";

/**
 * @param stored one that checkRequest() let pass
 * @throws ExposeError `export-refused` for a method that HTTPie takes for a URL
 */
export function toHttpie({ exchange, bodies }: StoredExchange): string {
  const request = toSentRequest(exchange, bodies.request)!;
  const { method, url, headers, body, text } = request;
  if (!/^[a-z]+$/i.test(method))
    throw new ExposeError(
      "export-refused",
      `HTTPie knows no method ${method}; curl does.`,
    );
  const names = new Set(headers.map(([name]) => name.toLowerCase()));
  const inline = fitsArgument(text);
  const words = [
    "http",
    ...(body.length > 0 && !inline ? [] : ["--ignore-stdin"]),
    "--path-as-is",
    ...(body.length > 0 && inline ? [`--raw ${quoteWord(text)}`] : []),
    quoteWord(method),
    quoteLatin1(url),
    ...headers.map(([name, value]) =>
      // A blank keeps `:=` and `:@`, which mean something else, apart. HTTPie takes it away again.
      quoteWord(value === "" ? `${name};` : `${name}: ${readBytes(value)}`),
    ),
    // What HTTPie would add by itself.
    ...["Accept", "Accept-Encoding", "User-Agent"]
      .filter((name) => !names.has(name.toLowerCase()))
      .map((name) => `'${name}:'`),
    ...(body.length > 0 && !names.has("content-type")
      ? ["'Content-Type:'"]
      : []),
  ];
  const command = words.join(" \\\n  ");
  const garbled = headers.filter(([, value]) => !isUtf8(toBytes(value)));
  return `${comment(explainMissing(request))}${comment(explainGarbled(garbled))}${body.length > 0 && !inline ? feedBase64(body, command) : command}\n`;
}

// HTTPie writes headers in UTF-8. Values that were UTF-8 on the wire pass as what they were.
const readBytes = (value: string): string =>
  isUtf8(toBytes(value)) ? toBytes(value).toString() : value;

const toBytes = (value: string): Buffer => Buffer.from(value, "latin1");

const explainGarbled = (headers: readonly HeaderLine[]): string | undefined =>
  headers.length === 0
    ? undefined
    : `HTTPie writes headers in UTF-8, so that ${headers.map(([name]) => name).join(", ")} will differ.`;
