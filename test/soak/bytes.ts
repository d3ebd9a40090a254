// Random bodies up and down through a tunnel: what arrives is what was sent, to the last bit.
import { createHash } from "node:crypto";
import { once } from "node:events";
import {
  Agent,
  createServer,
  request as httpRequest,
  type ClientRequest,
  type IncomingMessage,
  type ServerResponse,
} from "node:http";
import type { AddressInfo } from "node:net";
import type { Writable } from "node:stream";
import { stop } from "../harness/processes.ts";
import type { World } from "../harness/worlds.ts";
import { bodyHash, bodyPieces } from "./bodies.ts";
import { startClient } from "./clients.ts";
import { createChoices } from "./random.ts";

/** What to send. */
export interface BytesOptions {
  readonly seed: number;
  readonly count: number;
  /** Largest body. Default: 50 MB. */
  readonly maxBytes?: number;
  /** Hears after each hundredth body. */
  readonly onProgress?: (done: number, bytes: number) => void;
}

/** What came of it. */
export interface BytesResult {
  readonly bodies: number;
  readonly bytes: number;
  readonly seconds: number;
  /** Everything that should not have happened, in words. */
  readonly problems: readonly string[];
}

interface Transfer {
  readonly index: number;
  readonly bytes: number;
  readonly way: "up" | "down";
  /** `close`: no length, the end of the connection is the end of the body. Answers only. */
  readonly framing: "length" | "chunked" | "close";
}

const AT_ONCE = 8;

/** Runs it. The world needs nothing but its defaults. */
export async function runBytes(
  world: World,
  options: BytesOptions,
): Promise<BytesResult> {
  const { seed, count, maxBytes = 50_000_000 } = options;
  const problems: string[] = [];
  const origin = await startOrigin(seed);
  const client = await startClient([
    {
      session: world.session(),
      tunnels: [{ name: "bytes", port: origin.port }],
    },
  ]);
  const agent = new Agent({ keepAlive: true, maxSockets: AT_ONCE });
  const startedAt = performance.now();
  let next = 0;
  let done = 0;
  let bytes = 0;
  const worker = async (): Promise<void> => {
    while (next < count) {
      const transfer = chooseTransfer(seed, next++, maxBytes);
      try {
        const problem = await move(world, agent, seed, transfer);
        if (problem !== undefined)
          problems.push(`${JSON.stringify(transfer)}: ${problem}`);
      } catch (error) {
        problems.push(`${JSON.stringify(transfer)}: ${String(error)}`);
      }
      bytes += transfer.bytes;
      if (++done % 100 === 0) options.onProgress?.(done, bytes);
    }
  };
  try {
    await Promise.all(Array.from({ length: AT_ONCE }, worker));
  } finally {
    agent.destroy();
    await stop(client);
    await origin.close();
  }
  const seconds = (performance.now() - startedAt) / 1_000;
  return { bodies: done, bytes, seconds, problems };
}

function chooseTransfer(
  seed: number,
  index: number,
  maxBytes: number,
): Transfer {
  const choices = createChoices(seed, index);
  const way = choices.pick(["up", "down"] as const);
  return {
    index,
    bytes: choices.logUniform(maxBytes),
    way,
    framing:
      way === "up"
        ? choices.pick(["length", "chunked"] as const)
        : choices.pick(["length", "chunked", "close"] as const),
  };
}

/** @returns what is wrong, if anything is */
async function move(
  world: World,
  agent: Agent,
  seed: number,
  { index, bytes, way, framing }: Transfer,
): Promise<string | undefined> {
  const request = httpRequest({
    agent,
    host: "127.0.0.1",
    port: world.httpPort,
    method: way === "up" ? "PUT" : "GET",
    path: `/${index}?bytes=${bytes}&framing=${framing}`,
    headers: {
      host: new URL(world.urlOf("bytes")).host,
      ...(way === "up" && framing === "length" && { "content-length": bytes }),
      ...(way === "up" &&
        framing === "chunked" && { "transfer-encoding": "chunked" }),
    },
  });
  const answered = once(request, "response") as Promise<[IncomingMessage]>;
  if (way === "up") await send(request, seed, index, bytes);
  else request.end();
  const [response] = await answered;
  const hash = createHash("sha256");
  let text = "";
  for await (const piece of response as AsyncIterable<Buffer>) {
    hash.update(piece);
    if (text.length < 500) text += piece.toString("latin1");
  }
  if (response.statusCode !== 200)
    return `status ${response.statusCode}: ${text}`;
  const expected = bodyHash(seed, index, bytes);
  const got = way === "up" ? text : hash.digest("hex");
  return got === expected ? undefined : `${got} instead of ${expected}`;
}

interface Origin {
  readonly port: number;
  close(): Promise<void>;
}

// PUT answers with the hash of what came; GET makes the body itself.
async function startOrigin(seed: number): Promise<Origin> {
  const server = createServer((request, response) => {
    const url = new URL(request.url!, "http://origin");
    if (request.method === "PUT") {
      const hash = createHash("sha256");
      request.on("data", (piece: Buffer) => hash.update(piece));
      request.on("end", () => response.end(hash.digest("hex")));
      return;
    }
    const bytes = Number(url.searchParams.get("bytes"));
    const framing = url.searchParams.get("framing");
    if (framing === "length") response.setHeader("content-length", bytes);
    if (framing === "close") {
      response.useChunkedEncodingByDefault = false;
      response.shouldKeepAlive = false;
    }
    send(response, seed, Number(url.pathname.slice(1)), bytes).catch(() =>
      response.destroy(),
    );
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

async function send(
  to: ClientRequest | ServerResponse,
  seed: number,
  index: number,
  bytes: number,
): Promise<void> {
  for (const piece of bodyPieces(seed, index, bytes)) {
    if (!to.write(piece)) await drained(to);
  }
  to.end();
}

async function drained(stream: Writable): Promise<void> {
  const { promise, abort } = racing(stream);
  try {
    await promise;
  } finally {
    abort();
  }
}

// A stream that closes never drains.
function racing(stream: Writable): {
  promise: Promise<unknown>;
  abort: () => void;
} {
  const controller = new AbortController();
  const { signal } = controller;
  const promise = Promise.race([
    once(stream, "drain", { signal }),
    once(stream, "close", { signal }).then(() => {
      throw new Error("closed before all was sent");
    }),
  ]);
  return { promise, abort: () => controller.abort() };
}
