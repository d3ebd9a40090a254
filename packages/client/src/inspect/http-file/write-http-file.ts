// Writes a request as a .http file, which editors with an HTTP client read too (docs/http-files.md).
import type { Exchange } from "@expose/protocol";
import { explainMissing, toSentRequest } from "../export/sent-request.ts";

/**
 * Gives the file's content, to be saved as UTF-8 (header values are ISO 8859-1 and stand in it as these characters). The body comes back byte by byte when the file is read again: text stands as it is, and what
 * an editor or a version control system could change (control characters, CR LF, no UTF-8) stands in base64.
 *
 * @param exchange one with a request
 */
export function writeHttpFile(exchange: Exchange, body: Buffer): string {
  const request = toSentRequest(exchange, body)!;
  const inline =
    request.text !== undefined && !needsBase64(request.text)
      ? request.text
      : undefined;
  const { webhook } = exchange;
  const head = [
    `### ${oneLine(`${exchange.method} ${exchange.target}`)}`,
    comment(`captured ${new Date(exchange.startedAt).toISOString()}`),
    webhook &&
      comment(
        [webhook.provider, webhook.event]
          .filter((part) => part !== undefined)
          .join(" "),
      ),
    comment(explainMissing(request)),
    body.length > 0 && inline === undefined ? BASE64_DIRECTIVE : undefined,
    `${request.method} ${encodeLatin1(request.url)} HTTP/1.1`,
    ...request.headers.map(([name, value]) => `${name}: ${value}`),
  ].filter((line) => line !== undefined);
  const content =
    body.length === 0
      ? []
      : [
          "",
          inline ?? body.toString("base64").replace(/(.{76})(?=.)/g, "$1\n"),
        ];
  return `${[...head, ...content].join("\n")}\n`;
}

/** Says that the body is base64 of what is sent. */
const BASE64_DIRECTIVE = "# @body base64";

// What a reader takes for the next request, a comment before the body, or a file to include.
const needsBase64 = (text: string): boolean =>
  /^###/m.test(text) || /^<\s/.test(text) || text.startsWith("\ufeff");

const oneLine = (text: string): string => text.replace(/\p{Cc}/gu, " ");

const comment = (text: string | undefined): string | undefined =>
  text === undefined || text === "" ? undefined : `# ${oneLine(text)}`;

// A target may have any byte above ASCII; in a file it is written as an escape, which means the same.
const encodeLatin1 = (url: string): string =>
  url.replace(
    /[\u0080-\u00ff]/g,
    (character) =>
      `%${character.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0")}`,
  );
