// For tests: a server that writes down what exactly it was sent.
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import type { HeaderLine } from "@expose/protocol";
import { onTestFinished } from "vitest";

/** A request as it arrived. */
export interface Recorded {
  readonly method: string;
  readonly target: string;
  readonly headers: readonly HeaderLine[];
  readonly body: Buffer;
}

/** Starts the server; it ends with the test. */
export async function useRecorder(): Promise<{
  /** `http://127.0.0.1:PORT`. */
  origin: string;
  requests: Recorded[];
}> {
  const requests: Recorded[] = [];
  const server = createServer((request, response) => {
    void record(request).then((recorded) => {
      requests.push(recorded);
      response.end("recorded");
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  const { port } = server.address() as AddressInfo;
  return { origin: `http://127.0.0.1:${port}`, requests };
}

async function record(request: IncomingMessage): Promise<Recorded> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const { rawHeaders } = request;
  return {
    method: request.method!,
    target: request.url!,
    headers: rawHeaders.flatMap((name, i) =>
      i % 2 === 0 ? [[name, rawHeaders[i + 1]!] as const] : [],
    ),
    body: Buffer.concat(chunks),
  };
}
