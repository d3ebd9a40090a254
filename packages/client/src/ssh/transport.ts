// What an SSH connection runs over: a TCP socket, or a channel of the jump host before it.
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { batchWrites, type FairLink } from "@expose/protocol";
import type { Vitals } from "./liveness.ts";
import { watchPressure } from "./link-pressure.ts";

/** See the file's head. */
export interface Transport {
  readonly stream: Duplex;
  readonly vitals: Vitals;
  readonly link: FairLink;
}

/** A connection of our own to the server. */
export function socketTransport(socket: Socket): Transport {
  batchWrites(socket);
  return {
    stream: socket,
    vitals: {
      bytesReceived: () => socket.bytesRead,
      // bytesWritten counts what waits in this process too.
      bytesSent: () => socket.bytesWritten - socket.writableLength,
      hasQueue: () => socket.writableLength > 0,
    },
    link: watchPressure(socket, undefined),
  };
}

/**
 * A connection through a jump host.
 *
 * @param below what carries the jump host's connection: its queue is ours as well
 */
export function channelTransport(channel: Duplex, below: Transport): Transport {
  let received = 0;
  // Begins to flow only when ssh2 resumes it.
  channel.pause();
  channel.on("data", (chunk: Buffer) => {
    received += chunk.length;
  });
  // A server that has ended its half is gone, as with a socket that does not half-close. The jump host alone would keep
  // the other half open until it fails to write there.
  channel.on("end", () => channel.destroy());
  return {
    stream: channel,
    vitals: {
      bytesReceived: () => received,
      bytesSent: () => below.vitals.bytesSent(),
      hasQueue: () => below.vitals.hasQueue(),
    },
    link: watchPressure(channel, below.link),
  };
}
