// Speaks the edge's part of the control protocol, as a test tells it to.
import type { Socket } from "node:net";
import { PROTOCOL_VERSION } from "@expose/protocol";
import type { Connection, ServerChannel } from "ssh2";

/** An edge's end of one control channel. */
export interface EdgeSide {
  /** Called when the client asks for a tunnel. */
  onOpen: () => void;
  /** Answers that it is open. */
  opened(): EdgeSide;
  /** Says that somebody else has the name now. */
  superseded(): EdgeSide;
  /** Destroys the connection. */
  cut(): void;
}

/** Greets whoever says hello, and answers pings. */
export function playEdge(
  connection: Connection,
  channel: ServerChannel,
): EdgeSide {
  const say = (message: object): void =>
    void channel.write(`${JSON.stringify(message)}\n`);
  let text = "";
  channel.on("error", () => {});
  channel.on("data", (chunk: Buffer) => {
    text += String(chunk);
    const lines = text.split("\n");
    text = lines.pop()!;
    for (const line of lines) {
      const { t, n } = JSON.parse(line) as { t: string; n?: number };
      if (t === "ping") say({ t: "pong", n });
      else if (t === "open") side.onOpen();
      else if (t === "hello")
        say({
          ...{ t: "welcome", v: PROTOCOL_VERSION, edge: "expose-edge/0" },
          ...{ ingress: "embedded", identity: "alice", url: "http://*.test" },
        });
    }
  });
  const side: EdgeSide = {
    onOpen: () => {},
    opened() {
      const url = "http://shop.test";
      say({ ...{ t: "opened", id: 1, name: "shop", url, resume: "" } });
      return side;
    },
    superseded() {
      say({
        ...{ t: "closed", id: 1, code: "superseded", retry: false },
        message: "http://shop.test was opened again by alice from elsewhere.",
      });
      return side;
    },
    cut: () => (connection as unknown as { _sock: Socket })._sock.destroy(),
  };
  return side;
}
