// One big body over one connection, written and read as fast as the other side allows: Node's http costs more than the tunnels.
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import type { Target } from "../model.ts";

const BLOCK = Buffer.alloc(256 * 1024, "x");

/**
 * Downloads `path`, which has `bytes`, or only `enough` of them.
 *
 * @returns seconds. @throws Error when fewer bytes come, or no 200
 */
export async function download(
  target: Target,
  path: string,
  bytes: number,
  enough = bytes,
): Promise<number> {
  const startedAt = performance.now();
  const socket = await open(target);
  socket.write(
    `GET ${path} HTTP/1.1\r\nHost: ${target.host}\r\nConnection: close\r\n\r\n`,
  );
  let received = -1;
  let head = "";
  for await (const chunk of socket as AsyncIterable<Buffer>) {
    if (received >= 0) received += chunk.length;
    else {
      head += chunk.toString("latin1");
      const end = head.indexOf("\r\n\r\n");
      if (end < 0) continue;
      received = head.length - end - 4;
    }
    if (received >= enough) break;
  }
  const seconds = (performance.now() - startedAt) / 1_000;
  if (!head.startsWith("HTTP/1.1 200") || received < enough || received > bytes)
    throw new Error(
      `${received} of ${bytes} bytes came: ${head.slice(0, 200)}`,
    );
  return seconds;
}

/** Uploads `bytes` to `path`, which answers once it has them. @returns seconds. @throws Error when the answer is no 200 */
export async function upload(
  target: Target,
  path: string,
  bytes: number,
): Promise<number> {
  const startedAt = performance.now();
  const socket = await open(target);
  let answer = "";
  socket.on("data", (chunk) => (answer += String(chunk)));
  const ended = once(socket, "close");
  socket.write(
    `POST ${path} HTTP/1.1\r\nHost: ${target.host}\r\nContent-Length: ${bytes}\r\nConnection: close\r\n\r\n`,
  );
  for (let sent = 0; sent < bytes && !socket.destroyed;) {
    const block = BLOCK.subarray(0, Math.min(BLOCK.length, bytes - sent));
    sent += block.length;
    if (!socket.write(block))
      await Promise.race([once(socket, "drain"), ended]);
  }
  await ended;
  const seconds = (performance.now() - startedAt) / 1_000;
  if (!answer.startsWith("HTTP/1.1 200") || !answer.includes(`${bytes} bytes`))
    throw new Error(`the upload was answered: ${answer.slice(0, 300)}`);
  return seconds;
}

async function open(target: Target): Promise<Socket> {
  const socket = connect(target.port, target.address);
  socket.setNoDelay(true);
  await once(socket, "connect");
  // What goes wrong later shows in what is missing of the answer.
  socket.on("error", () => {});
  return socket;
}
