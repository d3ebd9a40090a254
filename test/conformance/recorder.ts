// A local service that records every byte, answers each request with that request's own token, and is asked afterwards
// what two parsers make of what it got.
import { once } from "node:events";
import { createServer as createHttpServer } from "node:http";
import { createServer, type AddressInfo } from "node:net";
import { Duplex } from "node:stream";
import { parseRequests, type ParsedRequest } from "./strict-parser.ts";

/** See the file's head. */
export interface Recorder {
  readonly port: number;
  /** Requests of all connections as the strict parser reads them. */
  requests(): readonly ParsedRequest[];
  /** What is wrong with the bytes: objections of the strict parser, and where Node's parser reads something else. */
  objections(): Promise<string[]>;
  close(): Promise<void>;
}

/** Starts a recorder on a free port of loopback. */
export async function startRecorder(): Promise<Recorder> {
  const recorded: { chunks: Buffer[]; answered: number }[] = [];
  const server = createServer((socket) => {
    const connection = { chunks: [] as Buffer[], answered: 0 };
    recorded.push(connection);
    socket.setNoDelay(true);
    socket.on("error", () => {});
    socket.on("data", (chunk: Buffer) => {
      connection.chunks.push(chunk);
      const { requests } = parseRequests(Buffer.concat(connection.chunks));
      for (const request of requests.slice(connection.answered)) {
        connection.answered++;
        const token = tokenOf(request);
        const body = request.method === "HEAD" ? "" : token;
        socket.write(
          `HTTP/1.1 200 OK\r\nX-Mark: ${token}\r\nContent-Length: ${token.length}\r\n\r\n${body}`,
        );
      }
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");

  return {
    port: (server.address() as AddressInfo).port,
    requests: () =>
      recorded.flatMap(
        ({ chunks }) => parseRequests(Buffer.concat(chunks)).requests,
      ),
    async objections() {
      const found: string[] = [];
      for (const { chunks } of recorded) {
        const bytes = Buffer.concat(chunks);
        const { requests, rest, violation } = parseRequests(bytes);
        if (violation) found.push(`${violation} in ${show(bytes)}`);
        // A request that was cut short was aborted; that is no second request.
        const whole = bytes.subarray(0, bytes.length - rest.length);
        const theirs = await parseWithNode(masked(whole), requests.length);
        const ours = requests.map((request) =>
          summary({ ...request, target: ascii(request.target) }),
        );
        if (JSON.stringify(ours) !== JSON.stringify(theirs))
          found.push(
            `read as ${ours.join(", ")} and as ${theirs.join(", ")}: ${show(whole)}`,
          );
      }
      return found;
    },
    async close() {
      server.close();
    },
  };
}

/** The request's own word, which its answer must bring back: the value of X-Mark. */
export const tokenOf = (request: ParsedRequest): string =>
  request.headers.find(([name]) => name.toLowerCase() === "x-mark")?.[1] ??
  "none";

const summary = (request: {
  method: string;
  target: string;
  body: Buffer;
}): string => `${request.method} ${request.target} ${request.body.length}`;

const show = (bytes: Buffer): string =>
  JSON.stringify(bytes.toString("latin1").slice(0, 600));

// Node's parser takes no bytes above 127 in a target. What it makes of the rest must not depend on them.
const ascii = (text: string): string => text.replace(/[\x80-\xff]/g, "x");

const masked = (bytes: Buffer): Buffer =>
  Buffer.from(
    bytes
      .toString("latin1")
      .replace(/[A-Z]+ \/[^ \r\n]*[\x80-\xff][^ \r\n]* HTTP\/1\.1\r\n/g, ascii),
    "latin1",
  );

async function parseWithNode(
  bytes: Buffer,
  expected: number,
): Promise<string[]> {
  if (bytes.length === 0) return [];
  const seen: string[] = [];
  const { promise, resolve } = withResolvers();
  const server = createHttpServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      seen.push(
        summary({
          method: request.method!,
          target: request.url!,
          body: Buffer.concat(chunks),
        }),
      );
      response.end();
      if (seen.length >= expected) setImmediate(resolve);
    });
  });
  for (const event of ["upgrade", "connect"] as const)
    server.on(event, (request: { method?: string; url?: string }) => {
      seen.push(`${request.method} ${request.url} 0`);
      resolve();
    });
  server.on("clientError", resolve);
  const stream = new Duplex({
    read() {},
    write: (_chunk, _encoding, done) => done(),
  });
  stream.on("close", resolve);
  server.emit("connection", stream);
  stream.push(bytes);
  await promise;
  stream.destroy();
  return seen;
}

// Promise.withResolvers is not in Node 20.
function withResolvers(): { promise: Promise<void>; resolve: () => void } {
  let resolve!: () => void;
  const promise = new Promise<void>((done) => (resolve = done));
  return { promise, resolve };
}
