// An exchange in a form that leaves the inspector: a command, a script, a test, a file.
import {
  exportFormats,
  type Exchange,
  type ExportFormat,
} from "@expose/protocol";
import { ExposeError } from "../../errors.ts";
import type { StoredBodies, StoredExchange } from "../capture.ts";
import { writeHttpFile } from "../http-file/write-http-file.ts";
import { toCurl } from "./curl.ts";
import { toFetch } from "./fetch.ts";
import { toHar } from "./har.ts";
import { toHttpie } from "./httpie.ts";
import { toVitest } from "./vitest.ts";

/** A file, or a text for the clipboard. */
export interface Exported {
  readonly text: string;
  readonly contentType: string;
  /** To save it under; without a folder. */
  readonly fileName: string;
}

export const isExportFormat = (text: string): text is ExportFormat =>
  (exportFormats as readonly string[]).includes(text);

/**
 * Writes an exchange in one of the formats. What it does not have any more (redacted headers, the rest of a long body)
 * is left out, and a comment says so.
 *
 * @throws ExposeError `export-refused` for what is no HTTP request, and for a body of which a part is missing
 */
export async function exportExchange(
  stored: StoredExchange,
  format: ExportFormat,
): Promise<Exported> {
  const { exchange, bodies } = stored;
  if (format === "har") {
    const har = await toHar([stored]);
    return {
      text: `${JSON.stringify(har, undefined, 2)}\n`,
      ...file(exchange, "har", "application/json"),
    };
  }
  checkRequest(exchange, bodies);
  switch (format) {
    case "curl":
      return { text: toCurl(stored), ...file(exchange, "sh", "text/plain") };
    case "fetch":
      return { text: toFetch(stored), ...file(exchange, "mjs", "text/plain") };
    case "httpie":
      return { text: toHttpie(stored), ...file(exchange, "sh", "text/plain") };
    case "http":
      return {
        text: writeHttpFile(exchange, bodies.request),
        ...file(exchange, "http", "text/plain"),
      };
    case "vitest":
      return {
        text: await toVitest(stored),
        ...file(exchange, "test.ts", "text/plain"),
      };
  }
}

/** @throws ExposeError `export-refused` */
export function checkRequest(
  exchange: Exchange,
  { request: body }: StoredBodies,
): void {
  if (!exchange.request || exchange.kind === "raw")
    throw refused("It is no HTTP request.");
  const { bytes } = exchange.request.body;
  if (body.length < bytes)
    throw refused(
      `Of its body, ${body.length} of ${bytes} bytes are kept: what came out would be another request. Raise inspect.history.maxBodyBytes before the next one, or take it as HAR.`,
    );
}

const refused = (why: string): ExposeError =>
  new ExposeError(
    "export-refused",
    `This exchange cannot be written as a request. ${why}`,
  );

const file = (
  { id }: Exchange,
  extension: string,
  contentType: string,
): Omit<Exported, "text"> => ({
  fileName: `${id}.${extension}`,
  contentType: `${contentType}; charset=utf-8`,
});
