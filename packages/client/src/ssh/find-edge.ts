// Whether an expose edge answers behind an SSH server.
import type { Duplex } from "node:stream";
import {
  createMessageStream,
  encodeMessage,
  parseEdgeMessage,
  PRODUCT_VERSION,
  PROTOCOL_VERSION,
  type ClientMessage,
  type EdgeMessage,
} from "@expose/protocol";

// For a command that neither speaks nor ends.
const PATIENCE_MS = 2_000;

/** What a client says first to an edge, as it goes out. */
export const EDGE_HELLO = encodeMessage({
  ...{ t: "hello", v: PROTOCOL_VERSION },
  client: `expose/${PRODUCT_VERSION}`,
} satisfies ClientMessage);

/** By what a server says of itself: true for the edge's own SSH server, and for no other. */
export const isEdgeVersion = (serverVersion: string): boolean =>
  serverVersion.startsWith("SSH-2.0-expose-edge_");

/**
 * Says hello to a command that runs. With a key that leads to an edge behind a stock sshd each command is the edge,
 * whatever was asked for. The command is of no use afterwards. Never throws.
 */
export function answersAsEdge(command: Duplex): Promise<boolean> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(false), PATIENCE_MS);
    const answered = (isEdge: boolean): void => {
      clearTimeout(timer);
      resolve(isEdge);
    };
    command.on("error", () => answered(false));
    command.on("close", () => answered(false));
    createMessageStream<EdgeMessage, ClientMessage>(
      command,
      parseEdgeMessage,
      (message) => answered(message.t === "welcome"),
      () => answered(false),
    );
    command.write(EDGE_HELLO);
  });
}
