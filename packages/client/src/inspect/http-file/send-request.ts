// Sends a request of a file over a connection of its own, and waits for the whole answer.
import http, { type IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import type { HeaderLine } from "@expose/protocol";
import { ExposeError } from "../../errors.ts";
import { valueOf } from "../header-values.ts";
import type { WholeRequest } from "./read-http-file.ts";

/** An answer. */
export interface SentAnswer {
  readonly status: number;
  readonly reason: string;
  readonly version: string;
  readonly headers: readonly HeaderLine[];
  /** As it passed, content coding and all; at most 64 MiB. */
  readonly body: Buffer;
  /** Whether there was more. */
  readonly truncated: boolean;
  /** From the first byte sent to the last one received. */
  readonly durationMs: number;
}

const MAX_BODY_BYTES = 64 * 1024 * 1024;
const IDLE_MS = 60_000;

/**
 * Headers go out in their order and case. Host, Content-Length and Connection are ours; Host only where there is none.
 *
 * @param target path and query
 * @param host for a request that has no Host header
 * @throws ExposeError `send-failed`
 */
export async function sendRequest(
  request: WholeRequest,
  options: {
    readonly target: string;
    readonly host: string;
    dial(signal: AbortSignal): Promise<Duplex>;
    readonly signal: AbortSignal;
  },
): Promise<SentAnswer> {
  const { signal, target } = options;
  const stream = await options.dial(signal);
  const startedAt = performance.now();
  try {
    const response = await ask(request, stream, target, options);
    const { body, truncated } = await readBody(response);
    const { rawHeaders } = response;
    return {
      status: response.statusCode!,
      reason: response.statusMessage ?? "",
      version: response.httpVersion,
      headers: rawHeaders.flatMap((name, i) =>
        i % 2 === 0 ? [[name, rawHeaders[i + 1]!] as const] : [],
      ),
      body,
      truncated,
      durationMs: Math.round((performance.now() - startedAt) * 10) / 10,
    };
  } catch (error) {
    signal.throwIfAborted();
    throw failed(error);
  } finally {
    stream.destroy();
  }
}

function ask(
  { method, headers, body }: WholeRequest,
  stream: Duplex,
  target: string,
  { host, signal }: { readonly host: string; readonly signal: AbortSignal },
): Promise<IncomingMessage> {
  const kept = headers.filter(([name]) => !OURS.has(name.toLowerCase()));
  const lines: HeaderLine[] = [
    ...(valueOf(kept, "host") === undefined ? [["Host", host] as const] : []),
    ...kept,
    ...(body.length > 0 || /^(?:POST|PUT|PATCH)$/.test(method)
      ? [["Content-Length", String(body.length)] as const]
      : []),
    ["Connection", "close"],
  ];
  return new Promise((resolve, reject) => {
    const outgoing = http.request({
      ...{ method, path: target, setHost: false, signal, timeout: IDLE_MS },
      // A list is written as it is.
      headers: lines.flat(),
      createConnection: () => stream,
    });
    outgoing.on("response", resolve);
    outgoing.on("upgrade", (response: IncomingMessage) => resolve(response));
    outgoing.on("error", reject);
    outgoing.on("timeout", () =>
      outgoing.destroy(
        new Error(`Nothing came for ${IDLE_MS / 1_000} seconds.`),
      ),
    );
    outgoing.end(body);
  });
}

// What frames the message is made from the body; what is between two neighbours is ours.
const OURS: ReadonlySet<string> = new Set([
  "content-length",
  "transfer-encoding",
  "connection",
  "keep-alive",
  "upgrade",
  "trailer",
  "te",
  "expect",
]);

async function readBody(
  response: IncomingMessage,
): Promise<{ body: Buffer; truncated: boolean }> {
  const chunks: Buffer[] = [];
  let length = 0;
  // A connection that now speaks something else has no body.
  if (response.statusCode !== 101)
    for await (const chunk of response) {
      chunks.push(chunk as Buffer);
      length += (chunk as Buffer).length;
      if (length > MAX_BODY_BYTES) break;
    }
  return {
    body: Buffer.concat(chunks, Math.min(length, MAX_BODY_BYTES)),
    truncated: length > MAX_BODY_BYTES,
  };
}

function failed(error: unknown): ExposeError {
  const { code = "", message } = error as NodeJS.ErrnoException;
  const what = code.startsWith("HPE_")
    ? "What came back is no HTTP"
    : code === "ECONNRESET"
      ? "The connection ended before the whole answer was there"
      : message;
  return new ExposeError("send-failed", `${what.replace(/\.$/, "")}.`, {
    cause: error,
  });
}
