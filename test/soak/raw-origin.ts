// A local service that is read and written in bare bytes: it shows what arrived and answers exactly what it is told to.
import { once } from "node:events";
import { createServer, type AddressInfo, type Socket } from "node:net";
import {
  parseRequests,
  type ParsedRequest,
} from "../conformance/strict-parser.ts";

/** See the file's head. */
export interface RawOrigin {
  readonly port: number;
  close(): Promise<void>;
}

/** @param answer gives the bytes of the answer to a request */
export async function startRawOrigin(
  answer: (request: ParsedRequest) => Buffer | string,
): Promise<RawOrigin> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    socket.on("error", () => {});
    let unread: Buffer = Buffer.alloc(0);
    socket.on("data", (chunk: Buffer) => {
      const { requests, rest, violation } = parseRequests(
        Buffer.concat([unread, chunk]),
      );
      unread = rest;
      for (const request of requests) {
        const bytes = answer(request);
        socket.write(
          typeof bytes === "string" ? Buffer.from(bytes, "latin1") : bytes,
        );
      }
      if (violation !== undefined) socket.destroy();
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    async close() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}
