// For the tests of this folder: real servers and channels that clean up after themselves.
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import net from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Duplex } from "node:stream";
import { promisify } from "node:util";
import { onTestFinished } from "vitest";

/** A server that listens, and the connections that it got, in order. */
export interface TestServer {
  readonly port: number;
  readonly sockets: readonly net.Socket[];
  /** Stops listening and cuts what is open. */
  stop(): Promise<void>;
}

/** @param at port (0: a free one) of a host, or the path of a socket */
export async function useServer(
  onConnection: (socket: net.Socket) => void,
  at: net.ListenOptions = { port: 0, host: "127.0.0.1" },
): Promise<TestServer> {
  const sockets: net.Socket[] = [];
  const server = net.createServer({ allowHalfOpen: true }, (socket) => {
    sockets.push(socket);
    // Tests cut connections on purpose.
    socket.on("error", () => {});
    onConnection(socket);
  });
  const stop = async (): Promise<void> => {
    for (const socket of sockets) socket.destroy();
    if (server.listening) await new Promise((resolve) => server.close(resolve));
  };
  onTestFinished(stop);
  server.listen(at);
  await once(server, "listening");
  const address = server.address();
  return {
    port: typeof address === "object" ? (address?.port ?? 0) : 0,
    sockets,
    stop,
  };
}

/** A port on which nothing listens, as far as anybody can know. */
export async function freePort(host = "127.0.0.1"): Promise<number> {
  const server = await useServer(() => {}, { port: 0, host });
  await server.stop();
  return server.port;
}

/** What a channel looks like from both ends: a real connection over the loopback. */
export async function useChannel(): Promise<{
  visitor: net.Socket;
  channel: net.Socket;
}> {
  const server = net.createServer({ allowHalfOpen: true });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as net.AddressInfo;
  const visitor = net.connect({ port, host: "127.0.0.1", allowHalfOpen: true });
  const [[channel]] = (await Promise.all([
    once(server, "connection"),
    once(visitor, "connect"),
  ])) as [[net.Socket], unknown];
  server.close();
  visitor.on("error", () => {});
  onTestFinished(() => {
    visitor.destroy();
    channel.destroy();
  });
  return { visitor, channel };
}

/** Reads to the end. */
export async function readAll(stream: Duplex): Promise<Buffer> {
  const chunks: Buffer[] = [];
  stream.on("data", (chunk: Buffer) => chunks.push(chunk));
  if (!stream.readableEnded && !stream.closed)
    await Promise.race([once(stream, "end"), once(stream, "close")]);
  return Buffer.concat(chunks);
}

/** A folder of the test's own. */
export async function useFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "expose-local-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** Runs a Python program that prints its port on the first line. */
export async function usePython(program: string): Promise<number> {
  const python = spawn("python3", ["-u", "-c", program], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  let complaints = "";
  python.stderr.on("data", (chunk: Buffer) => (complaints += chunk.toString()));
  onTestFinished(async () => {
    if (python.exitCode !== null) return;
    python.kill("SIGKILL");
    await once(python, "exit");
  });
  const first = await Promise.race([
    once(python.stdout, "data"),
    once(python, "exit"),
  ]);
  const port = Number(String(first[0]));
  if (!(port > 0)) throw new Error(`Python said: ${complaints}`);
  return port;
}

/** Runs openssl in a folder. */
export const openssl = (folder: string, ...args: string[]): Promise<unknown> =>
  promisify(execFile)("openssl", args, { cwd: folder });
