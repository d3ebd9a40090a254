// Opens channels to a client, for visitors (forwarded-tcpip, RFC 4254 section 7.2).
import type { Duplex } from "node:stream";
import type { LinkPressure } from "@expose/protocol";
import type { Connection, ServerChannel } from "ssh2";
import { EdgeError } from "../../errors.ts";
import type { Forward, ForwardedConnection, Visitor } from "../forward.ts";
import { adoptChannel } from "./channel-stream.ts";
import type { EmbeddedLimits } from "./options.ts";
import type { Door, PrivateChannel } from "./ssh2-door.ts";

/** Opens channels on one connection. */
export interface ChannelOpener {
  /** Channels that the client has not answered for. */
  readonly opening: number;
  /**
   * @param bindAddress the address as the client asked for its forward with: it finds it by that and the port
   * @throws EdgeError `forward-failed`
   */
  open(
    forward: Forward,
    bindAddress: string,
    visitor: Visitor,
  ): Promise<ForwardedConnection>;
}

// A client that could not dial the local service says so with this (RFC 4254 section 5.1).
const CONNECT_FAILED = 2;

/** Builds the opener of a connection. */
export function createChannelOpener(
  connection: Connection,
  door: Door,
  link: LinkPressure,
  limits: Pick<EmbeddedLimits, "channelOpenMs" | "maxChannels">,
): ChannelOpener {
  function forwardOut(
    forward: Forward,
    bindAddress: string,
    { address, port }: Visitor,
  ): Promise<Duplex> {
    return new Promise((resolve, reject) => {
      let late = false;
      const timer = setTimeout(() => {
        late = true;
        reject(forwardFailed("The client did not open a channel in time."));
      }, limits.channelOpenMs);
      opener.opening++;
      const answered = (error: Error | undefined, channel: ServerChannel) => {
        clearTimeout(timer);
        opener.opening--;
        if (error) return reject(openFailure(error));
        // At once: data may follow in the same packet.
        const stream = adoptChannel(channel as PrivateChannel, door);
        if (!late && !forward.closed) return resolve(stream);
        stream.destroy();
        reject(forwardFailed("The forward was closed."));
      };
      const { port: bindPort } = forward;
      connection.forwardOut(bindAddress, bindPort, address, port, answered);
    });
  }

  const opener = {
    opening: 0,
    async open(
      forward: Forward,
      bindAddress: string,
      visitor: Visitor,
    ): Promise<ForwardedConnection> {
      // A client learns of its forward with our answer, which leaves right after the tunnel has opened.
      await Promise.resolve();
      // An ending connection has closed its forwards.
      if (forward.closed) throw forwardFailed("The forward is closed.");
      if (door.countChannels() + opener.opening >= limits.maxChannels)
        throw forwardFailed("The client has as many channels as it may have.");
      return { stream: await forwardOut(forward, bindAddress, visitor), link };
    },
  };
  return opener;
}

const forwardFailed = (message: string): EdgeError =>
  new EdgeError("forward-failed", message);

function openFailure(error: Error & { reason?: unknown }): EdgeError {
  return error.reason === CONNECT_FAILED
    ? new EdgeError(
        "forward-failed",
        "The client cannot reach the local service.",
        { cause: error, upstreamDown: true },
      )
    : new EdgeError("forward-failed", "The client opened no channel.", {
        cause: error,
      });
}
