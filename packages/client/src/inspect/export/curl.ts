// An exchange as a curl command that sends the same bytes, from any POSIX shell.
import {
  comment,
  feedBase64,
  fitsArgument,
  quoteLatin1,
  quoteWord,
} from "./shell.ts";
import { explainMissing, toSentRequest } from "./sent-request.ts";
import type { StoredExchange } from "../capture.ts";

/** @param stored one that checkRequest() let pass */
export function toCurl({ exchange, bodies }: StoredExchange): string {
  const request = toSentRequest(exchange, bodies.request)!;
  const { method, url, headers, body, text } = request;
  const names = new Set(headers.map(([name]) => name.toLowerCase()));
  const inline = fitsArgument(text);
  const options = [
    // What curl would tidy up: dots in paths, braces and brackets.
    "--path-as-is",
    "--globoff",
    // curl waits for a body after any other way of saying HEAD.
    method === "HEAD" && body.length === 0
      ? "--head"
      : `--request ${quoteWord(method)}`,
    ...headers.map(
      ([name, value]) =>
        // A colon with nothing behind would take the header away.
        `--header ${value === "" ? quoteWord(`${name};`) : quoteLatin1(`${name}: ${value}`)}`,
    ),
    // What curl would add by itself.
    ...["Accept", "User-Agent"]
      .filter((name) => !names.has(name.toLowerCase()))
      .map((name) => `--header '${name}:'`),
    ...(body.length > 0
      ? [
          ...(names.has("content-type") ? [] : ["--header 'Content-Type:'"]),
          ...(body.length > EXPECT_BYTES ? ["--header 'Expect:'"] : []),
          inline ? `--data-raw ${quoteWord(text)}` : "--data-binary @-",
        ]
      : []),
  ];
  const command = ["curl", ...options, quoteUrl(url)].join(" \\\n  ");
  return `${comment(explainMissing(request))}${body.length > 0 && !inline ? feedBase64(body, command) : command}\n`;
}

// From there on curl asks first whether a body is wanted.
const EXPECT_BYTES = 1_000_000;

// A target has no blanks and no control characters; --url keeps one that begins with a hyphen from being an option.
const quoteUrl = (url: string): string => `--url ${quoteLatin1(url)}`;
