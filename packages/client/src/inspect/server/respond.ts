// Answers of the inspector, each with the headers that keep a browser from making more of it than it is.
import type { ServerResponse } from "node:http";
import { PAGE_POLICY } from "@expose/protocol";

const SECURITY_HEADERS = {
  "Content-Security-Policy": PAGE_POLICY,
  "X-Content-Type-Options": "nosniff",
  "X-Frame-Options": "DENY",
  "Referrer-Policy": "no-referrer",
  "Cross-Origin-Resource-Policy": "same-origin",
  "Cross-Origin-Opener-Policy": "same-origin",
  "Permissions-Policy":
    "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
  "X-Robots-Tag": "noindex",
  "Cache-Control": "no-store",
} as const;

/** Puts the headers on that every answer bears. */
export function secure(response: ServerResponse): void {
  for (const [name, value] of Object.entries(SECURITY_HEADERS))
    response.setHeader(name, value);
}

/** Answers with JSON. */
export function sendJson(
  response: ServerResponse,
  value: unknown,
  status = 200,
): void {
  const body = Buffer.from(`${JSON.stringify(value)}\n`);
  response.writeHead(status, {
    "Content-Type": "application/json; charset=utf-8",
    "Content-Length": body.length,
  });
  response.end(body);
}

/** Answers with captured bytes: to be saved or read by a program, never to be shown by the browser itself. */
export function sendBytes(
  response: ServerResponse,
  bytes: Buffer,
  file: string,
  headers: Readonly<Record<string, string>> = {},
): void {
  response.writeHead(200, {
    "Content-Type": "application/octet-stream",
    "Content-Length": bytes.length,
    // The names are ours: an id and a word.
    "Content-Disposition": `attachment; filename="${file}"`,
    // Should a browser open it nevertheless, it is a document without an origin, scripts or forms.
    "Content-Security-Policy": "default-src 'none'; sandbox",
    ...headers,
  });
  response.end(bytes);
}

/** Answers that there is nothing to say. */
export function sendNothing(response: ServerResponse): void {
  response.writeHead(204).end();
}

/** A signal that fires when whoever waits for the answer goes away, or has gone. */
export function untilGone(response: ServerResponse): AbortSignal {
  const gone = new AbortController();
  if (response.destroyed) gone.abort();
  else response.once("close", () => gone.abort());
  return gone.signal;
}
