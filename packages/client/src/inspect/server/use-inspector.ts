// For the tests of this folder: an inspector on a port of its own, and requests to it down to the last byte.
import net from "node:net";
import { onTestFinished } from "vitest";
import { startInspector, type Inspector } from "./inspector.ts";
import type { InspectorOptions } from "./inspected.ts";
import { createMemoryStore } from "./use-store.ts";

/** An inspector that ends with the test. Bugs in it fail the test. */
export async function useInspector(
  options: Partial<InspectorOptions> = {},
): Promise<Inspector> {
  const bugs: unknown[] = [];
  const inspector = await startInspector({
    store: createMemoryStore(),
    tunnels: () => [],
    port: 0,
    onError: (error) => bugs.push(error),
    ...options,
  });
  onTestFinished(async () => {
    await inspector.close();
    if (bugs.length > 0) throw new AggregateError(bugs, "The inspector threw.");
  });
  return inspector;
}

/** A fetch() that bears the token. Paths are relative to the inspector. */
export const useApi =
  (inspector: Inspector) =>
  (path: string, init: RequestInit = {}): Promise<Response> =>
    fetch(`${inspector.url}${path}`, {
      ...init,
      headers: {
        authorization: `Bearer ${inspector.token}`,
        ...(init.headers as Record<string, string> | undefined),
      },
    });

/** What came back for bytes that were sent as they are. */
export interface RawAnswer {
  readonly status: number;
  readonly text: string;
}

/** Waits for the end of a connection, whichever way it ends. */
export const untilClosed = (socket: net.Socket): Promise<void> =>
  new Promise((resolve) => socket.once("close", () => resolve()));

/** Sends bytes, and reads until the other end closes. `Connection: close` belongs into what is sent. */
export async function sendRaw(
  inspector: Pick<Inspector, "port">,
  bytes: string | Buffer,
): Promise<RawAnswer> {
  const socket = net.connect(inspector.port, "127.0.0.1");
  const chunks: Buffer[] = [];
  socket.on("data", (chunk: Buffer) => chunks.push(chunk));
  // A reset after the answer is an answer.
  socket.on("error", () => {});
  socket.write(bytes);
  await untilClosed(socket);
  const text = Buffer.concat(chunks).toString("latin1");
  return { status: Number(/^HTTP\/1\.1 (\d{3})/.exec(text)?.[1] ?? 0), text };
}
