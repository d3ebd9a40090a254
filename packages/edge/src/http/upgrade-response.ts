// The answer to an upgrade that is answered after all, with anything but a switch of protocols.
import { ServerResponse } from "node:http";
import type { EdgeRequest } from "./edge-request.ts";

/** Makes one by hand, since Node has let go of the socket. The connection ends behind it. */
export function respondOn(request: EdgeRequest): ServerResponse {
  const { socket } = request;
  const response = new ServerResponse(request);
  // A response fails when its socket does, and the socket's `close` is what ends the visit.
  response.on("error", () => {});
  response.shouldKeepAlive = false;
  try {
    response.assignSocket(socket);
  } catch {
    // An answer before it, on the same connection, is not quite out: nobody sends an upgrade behind another request.
    socket.destroy();
  }
  // Node's own server passes this on; without it a piped answer stops at the first full buffer.
  socket.on("drain", () => response.emit("drain"));
  response.on("finish", () => {
    response.detachSocket(socket);
    socket.destroySoon();
  });
  return response;
}
