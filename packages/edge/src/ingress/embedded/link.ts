// Pressure of one SSH connection: how much waits in its socket, and who waits for that to leave.
import type { Socket } from "node:net";
import { createFairLink, type FairLink } from "@expose/protocol";

// More than this in the socket makes small requests wait behind big responses; much less starves the line.
const MAX_QUEUED_BYTES = 256 * 1024;

/**
 * Watches a connection's socket.
 *
 * @param isHeldUp whether ssh2 holds packets back for another reason, outside of the socket's count
 */
export function createLink(socket: Socket, isHeldUp: () => boolean): FairLink {
  const link = createFairLink(() =>
    isHeldUp() ? 0 : MAX_QUEUED_BYTES - socket.writableLength,
  );
  socket.on("drain", link.wake);
  return link;
}
