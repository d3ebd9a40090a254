// Where the other workers come in with requests for tunnels whose SSH sessions this worker holds.
import { timingSafeEqual } from "node:crypto";
import { createServer, type Socket } from "node:net";
import { rmdirSync, rmSync } from "node:fs";
import { dirname } from "node:path";
import { join as joinStreams } from "@expose/protocol";
import { EdgeError } from "../errors.ts";
import type { Forward, Visitor } from "../ingress/forward.ts";
import { FramedStream } from "./framed-stream.ts";

/** What a worker says first, as JSON on a line: that it is one of this edge, which forward it wants, and for whom. */
export interface PeerHello {
  readonly secret: string;
  readonly forward: number;
  readonly visitor: Visitor;
}

/** What it is answered, in one byte. */
export const peerAnswers = {
  connected: 1,
  failed: 2,
  upstreamDown: 3,
} as const;

/** What the door needs. */
export interface PeerDoorOptions {
  /** Path of the socket, in a folder that nobody else can enter. */
  readonly path: string;
  /** What all workers of this edge know. */
  readonly secret: string;
  /** The forward of that number; undefined when it is gone. */
  readonly find: (forward: number) => Forward | undefined;
}

/** A door that is open. */
export interface PeerDoor {
  /** Lets nobody in any more, and gives up what came in. Idempotent. */
  close(): void;
  /** For the end of the process when the primary is gone: leaves no files behind. The last worker removes the folder. */
  cleanUp(): void;
}

// They are processes of our own, which say it at once.
const HELLO_MS = 5_000;
const MAX_HELLO_LENGTH = 1_024;

/** Opens the door. @throws EdgeError `listen-failed` */
export async function openPeerDoor(
  options: PeerDoorOptions,
): Promise<PeerDoor> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
    enter(new FramedStream(socket), options);
  });
  try {
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      // `exclusive`: each worker has a socket of its own, the cluster shares none.
      server.listen({ path: options.path, exclusive: true }, resolve);
    });
  } catch (error) {
    throw new EdgeError(
      "listen-failed",
      `The socket between the edge's workers, ${options.path}, cannot be made: ${(error as Error).message}.`,
      { cause: error },
    );
  }
  // accept() fails now and then (EMFILE, say); the next one may succeed.
  server.on("error", () => {});
  return {
    close() {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
    cleanUp() {
      rmSync(options.path, { force: true });
      try {
        rmdirSync(dirname(options.path));
      } catch {
        // Others are still in it.
      }
    },
  };
}

function enter(stream: FramedStream, options: PeerDoorOptions): void {
  const timer = setTimeout(() => stream.destroy(), HELLO_MS);
  stream.once("close", () => clearTimeout(timer));
  let text = "";
  stream.on("readable", onReadable);

  function onReadable(): void {
    text += String(stream.read() ?? "");
    if (!text.endsWith("\n") && text.length <= MAX_HELLO_LENGTH) return;
    clearTimeout(timer);
    stream.off("readable", onReadable);
    const hello = readHello(text, options.secret);
    if (hello) void connect(stream, hello, options);
    else stream.destroy();
  }
}

function readHello(text: string, secret: string): PeerHello | undefined {
  try {
    const hello = JSON.parse(text) as PeerHello;
    const given = Buffer.from(String(hello.secret));
    const expected = Buffer.from(secret);
    return given.length === expected.length && timingSafeEqual(given, expected)
      ? hello
      : undefined;
  } catch {
    return undefined;
  }
}

async function connect(
  stream: FramedStream,
  { forward: number, visitor }: PeerHello,
  { find }: PeerDoorOptions,
): Promise<void> {
  try {
    const forward = find(number);
    if (!forward) throw new EdgeError("forward-failed", "The forward is gone.");
    const { stream: channel, link } = await forward.connect(visitor);
    // Whoever asked may have given up meanwhile.
    if (stream.destroyed) return void channel.destroy();
    stream.write(Buffer.of(peerAnswers.connected));
    joinStreams(stream, channel, link, () => {});
  } catch (error) {
    const down = error instanceof EdgeError && error.upstreamDown;
    stream.end(
      Buffer.of(down ? peerAnswers.upstreamDown : peerAnswers.failed),
      () => stream.destroy(),
    );
  }
}
