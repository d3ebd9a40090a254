// What visitors read when the edge answers by itself: a page for browsers, JSON or plain text by Accept for the rest.
import { visitorErrorCodes, type VisitorErrorCode } from "@expose/protocol";
import { createHash } from "node:crypto";
import { STATUS_CODES } from "node:http";
import type { Refusal } from "./refusal.ts";

/** What a page may mention. All of it is escaped. */
export interface ErrorFacts {
  readonly hostname: string;
  readonly accept: string | undefined;
  /** Of the tunnel that was asked for and of no other: the local address, and what its client says of it. */
  readonly upstream: string | undefined;
  readonly reason: string | undefined;
}

/** A page, ready to be sent. */
export interface ErrorPage {
  /** Names and values in turn. */
  readonly headers: string[];
  readonly body: Buffer;
}

const statuses: Record<VisitorErrorCode, number> = {
  "host-invalid": 400,
  "host-unknown": 421,
  "tunnel-unknown": 404,
  "tunnel-away": 503,
  "tunnel-busy": 503,
  "visitor-busy": 429,
  "upstream-down": 502,
  "upstream-timeout": 504,
  "upstream-invalid": 502,
  "upstream-closed": 502,
  "forward-failed": 502,
  "request-invalid": 400,
  "request-timeout": 408,
  "headers-too-large": 431,
  "upgrade-refused": 400,
  "edge-draining": 503,
  "edge-error": 500,
};

const advice: Partial<Record<VisitorErrorCode, string>> = {
  "host-unknown": "Check the address, or the DNS record that led here.",
  "tunnel-unknown":
    "Check the name, or ask whoever gave you the address to open the tunnel again.",
  "tunnel-away": "Try again in a moment.",
  "tunnel-busy": "Try again in a moment.",
  "visitor-busy": "Close some connections, then try again.",
  "upstream-timeout":
    "If this is your tunnel: see what the local service is waiting for.",
  "upstream-invalid":
    "If this is your tunnel: check that the port is one of an HTTP server, and whether it wants https://.",
  "upstream-closed":
    "If this is your tunnel: look into the log of the local service, which may have crashed.",
  "forward-failed":
    "Try again in a moment. If this is your tunnel: see what the client says.",
  "edge-draining": "Try again in a moment.",
};

const STYLE =
  ":root{color-scheme:light dark}body{font:16px/1.5 system-ui,sans-serif;max-width:38rem;margin:12vh auto;padding:0 1.5rem}h1{font-size:1.4rem;line-height:1.3}code{font:0.9em ui-monospace,monospace}footer{margin-top:3rem;opacity:.65;font-size:.85rem}";
const STYLE_HASH = createHash("sha256").update(STYLE).digest("base64");
const POLICY = `default-src 'none'; style-src 'sha256-${STYLE_HASH}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`;

/** The status that goes with a refusal. */
export const statusOf = (refusal: Refusal): number =>
  refusal.status ?? statuses[refusal.code];

/** Writes the page for a refusal, in the form that the visitor accepts. */
export function renderErrorPage(
  refusal: Refusal,
  facts: ErrorFacts,
): ErrorPage {
  const { code } = refusal;
  const text = explain(refusal, facts);
  const form = preferredForm(facts.accept);
  const [type, content] =
    form === "html"
      ? ["text/html; charset=utf-8", html(code, statusOf(refusal), text)]
      : form === "json"
        ? [
            "application/json; charset=utf-8",
            `${JSON.stringify({ error: code, message: text.join(" ") })}\n`,
          ]
        : ["text/plain; charset=utf-8", `${text.join("\n")}\n[${code}]\n`];
  const body = Buffer.from(content);
  const headers = [
    "Content-Type",
    type,
    "Content-Length",
    String(body.length),
    "Cache-Control",
    "no-store",
    "Expose-Error",
    code,
    "X-Content-Type-Options",
    "nosniff",
  ];
  if (form === "html")
    headers.push(
      "Content-Security-Policy",
      POLICY,
      "Referrer-Policy",
      "no-referrer",
    );
  if (refusal.retryAfterS !== undefined)
    headers.push("Retry-After", String(refusal.retryAfterS));
  return { headers, body };
}

/**
 * The whole response as bytes, for a connection on which no request could be read. Plain text, because nobody knows
 * what is accepted.
 *
 * @param date the value of Date
 */
export function renderRawResponse(refusal: Refusal, date: Date): Buffer {
  const page = renderErrorPage(refusal, {
    hostname: "",
    accept: undefined,
    upstream: undefined,
    reason: undefined,
  });
  const status = statusOf(refusal);
  let head = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ""}\r\n`;
  for (let i = 0; i < page.headers.length; i += 2)
    head += `${page.headers[i]}: ${page.headers[i + 1]}\r\n`;
  head += `Date: ${date.toUTCString()}\r\nConnection: close\r\n\r\n`;
  return Buffer.concat([Buffer.from(head, "latin1"), page.body]);
}

// One or two sentences: what is the matter, and what to do.
function explain(refusal: Refusal, facts: ErrorFacts): string[] {
  const { code } = refusal;
  if (code === "upstream-down" && facts.upstream !== undefined)
    return [
      `The tunnel is up, but nothing answers at ${printable(facts.upstream)}.`,
      ...(facts.reason === undefined ? [] : [printable(facts.reason)]),
      `If this is your tunnel: start the local service on ${printable(facts.upstream)}, or expose the port that it listens on.`,
    ];
  const general =
    code === "tunnel-unknown" && facts.hostname !== ""
      ? `No tunnel is open at ${facts.hostname}.`
      : visitorErrorCodes[code];
  return [refusal.detail ?? general, ...(advice[code] ? [advice[code]] : [])];
}

function html(code: string, status: number, text: readonly string[]): string {
  const [title = "", ...rest] = text.map(escapeHtml);
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="robots" content="noindex">
<title>${status} ${code}</title>
<style>${STYLE}</style>
<h1>${title}</h1>
${rest.map((line) => `<p>${line}</p>\n`).join("")}<footer>${status} <code>${code}</code> · expose</footer>
`;
}

// Whatever is listed first among the three, weights of zero aside: RFC 9110 section 12.5.1 in as much as it matters here.
function preferredForm(accept: string | undefined): "html" | "json" | "text" {
  let best: "html" | "json" | "text" = "text";
  let bestWeight = 0;
  for (const range of (accept ?? "").toLowerCase().split(",", 20)) {
    const [type = "", ...parameters] = range.split(";");
    const form =
      type.trim() === "text/html" || type.trim() === "application/xhtml+xml"
        ? "html"
        : /^application\/(?:[\w.-]+\+)?json$/.test(type.trim())
          ? "json"
          : type.trim() === "text/plain"
            ? "text"
            : undefined;
    if (form === undefined) continue;
    const q = parameters.find((parameter) => /^\s*q=/.test(parameter));
    const weight = q === undefined ? 1 : Number(q.slice(q.indexOf("=") + 1));
    if (weight > bestWeight) {
      best = form;
      bestWeight = weight;
    }
  }
  return best;
}

const escapeHtml = (text: string): string =>
  text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);

// Control and bidirectional characters would let a client's text dress up as something else, in a terminal above all.
const printable = (text: string): string =>
  text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu, "?").slice(0, 300);
