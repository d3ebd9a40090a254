// Single requests of a visitor: is it there, and is every byte of the answer right?
import { createHash } from "node:crypto";
import { request, type Agent, type IncomingMessage } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import type { Target } from "../model.ts";

/** An answer. */
export interface Answer {
  readonly status: number;
  readonly body: Buffer;
}

/** What to ask. */
export interface AskOptions {
  readonly path?: string;
  readonly body?: Buffer;
  readonly headers?: Record<string, string>;
  /** Absent: a connection of its own. */
  readonly agent?: Agent;
  readonly timeoutMs?: number;
}

/** One request. Rejects with what the connection said, or when nothing moves for `timeoutMs` (default 30,000). */
export function ask(target: Target, options: AskOptions = {}): Promise<Answer> {
  const { body, timeoutMs = 30_000 } = options;
  return new Promise((resolve, reject) => {
    const asked = request(
      {
        host: target.address,
        port: target.port,
        path: options.path ?? "/1k",
        method: body ? "POST" : "GET",
        headers: {
          host: target.host,
          ...(body ? { "content-length": body.length } : {}),
          ...options.headers,
        },
        agent: options.agent ?? false,
        timeout: timeoutMs,
      },
      (response) => readAll(response).then(resolve, reject),
    );
    asked.on("timeout", () =>
      asked.destroy(new Error(`no answer within ${timeoutMs} ms`)),
    );
    asked.on("error", reject);
    asked.end(body);
  });
}

async function readAll(response: IncomingMessage): Promise<Answer> {
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  return { status: response.statusCode ?? 0, body: Buffer.concat(chunks) };
}

/**
 * Asks again and again until the answer is 200, each time on a connection of its own.
 *
 * @param pauseMs between two tries
 * @returns when the first good answer was complete, as performance.now()
 * @throws Error with the last answer when that takes longer than `timeoutMs`
 */
export async function waitUntilServed(
  target: Target,
  { pauseMs = 20, timeoutMs = 30_000, path = "/1k" } = {},
): Promise<number> {
  const deadline = performance.now() + timeoutMs;
  let last = "nothing";
  while (performance.now() < deadline) {
    try {
      const answer = await ask(target, { path, timeoutMs: 5_000 });
      if (answer.status === 200) return performance.now();
      last = `${answer.status} ${answer.body.toString().slice(0, 300)}`;
    } catch (error) {
      last = String(error);
    }
    await sleep(pauseMs);
  }
  throw new Error(
    `no 200 from ${target.host} within ${timeoutMs} ms; last: ${last}`,
  );
}

/** SHA-256 in hex. */
export const sha256 = (data: Buffer): string =>
  createHash("sha256").update(data).digest("hex");
