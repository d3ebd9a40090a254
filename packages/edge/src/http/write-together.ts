// Writes that leave one behind the other. Many answers come in one read from a client; written as each is ready, every
// one of them wakes a visitor's side that has just gone to sleep. Together they cost 5 to 10 % less, and are no later:
// the last one goes out when it would have.
import type { Socket } from "node:net";

let sockets: Socket[] = [];
let pieces: Buffer[] = [];

/**
 * Writes as soon as what runs now has come to its end, in the order of the calls. For small pieces: nothing is told about
 * room, so whoever has more to write looks at the socket first.
 *
 * @param piece the socket's from now on
 */
export function writeTogether(socket: Socket, piece: Buffer): void {
  if (sockets.push(socket) === 1) process.nextTick(writeAll);
  pieces.push(piece);
}

function writeAll(): void {
  const [into, what] = [sockets, pieces];
  sockets = [];
  pieces = [];
  for (const [at, socket] of into.entries()) socket.write(what[at]!);
}
