// Fails when an upgrade of ssh2 moves what inside-ssh2.ts reaches for. The behaviour on top of it is tested elsewhere.
import { once } from "node:events";
import { Client } from "ssh2";
import { afterAll, describe, expect, it } from "vitest";
import {
  guardChannels,
  isClosedByPeer,
  onAuthRefused,
  pingServer,
  takeWaitingWrite,
} from "./inside-ssh2.ts";
import { createSandbox } from "./testing/sandbox.ts";
import { connectPair, ssh2Server } from "./testing/ssh2-pair.ts";

const sandbox = createSandbox();
afterAll(() => sandbox.dispose());

describe("what is assumed of ssh2", () => {
  it("answers a ping, in order with other requests", async () => {
    const { client } = await connectPair(sandbox);
    const answers: string[] = [];
    await new Promise<void>((resolve) => {
      client.forwardIn("127.0.0.1", 81, () => answers.push("forward"));
      pingServer(client, () => answers.push("ping"));
      client.forwardIn("127.0.0.1", 82, () => {
        answers.push("forward");
        resolve();
      });
    });
    expect(answers).toEqual(["forward", "ping", "forward"]);
  });

  it("does not take a lost connection for an answer", async () => {
    const { client, socket } = await connectPair(sandbox);
    let answered = false;
    pingServer(client, () => (answered = true));
    socket.destroy();
    await once(client, "close");
    expect(answered).toBe(false);
  });

  it("hands USERAUTH_FAILURE out", async () => {
    const port = await ssh2Server(sandbox, (connection) =>
      connection.on("authentication", (context) =>
        context.method === "none"
          ? context.reject(["publickey", "hostbased"], true)
          : context.accept(),
      ),
    );
    const client = new Client();
    sandbox.defer(() => client.destroy());
    client.on("error", () => {});
    client.connect({ host: "127.0.0.1", port, username: "me", password: "x" });
    const heard: unknown[] = [];
    onAuthRefused(client, (methods, partial) => heard.push([methods, partial]));
    await once(client, "ready");
    expect(heard).toEqual([[["publickey", "hostbased"], true]]);
  });

  it("keeps the state of channels and the write that waits for the window", async () => {
    const { forward } = await connectPair(sandbox);
    const { near, far } = await forward(() => {});
    expect(isClosedByPeer(near)).toBe(false);
    expect(takeWaitingWrite(near)).toBeUndefined();

    const failure = new Error("taken back");
    const written = new Promise((resolve) =>
      near.write(Buffer.alloc(3 * 1024 * 1024), resolve),
    );
    near.on("error", () => {});
    takeWaitingWrite(near)!(failure);
    expect(await written).toBe(failure);
    expect(takeWaitingWrite(near)).toBeUndefined();

    const other = await forward(() => {});
    other.far.eof();
    other.near.resume();
    await once(other.near, "end");
    expect(isClosedByPeer(other.near)).toBe(false);
    other.far.resume();
    other.far.close();
    await once(other.near, "close");
    expect(isClosedByPeer(other.near)).toBe(true);
    far.close();
  });

  it("ends with a server that wants tiny packets, or sends more than the window allows", async () => {
    for (const [break_, message] of [
      [
        (server: ServerInternals) =>
          server._protocol.forwardedTcpip(0, 1_000, 0, {
            ...{ boundAddr: "127.0.0.1", boundPort: 80 },
            ...{ remoteAddr: "192.0.2.1", remotePort: 1 },
          }),
        "packets that are too small",
      ],
      [
        (server: ServerInternals, id: number) => {
          for (let sent = 0; sent <= 4 * 1024 * 1024; sent += 32_768)
            server._protocol.channelData(id, Buffer.alloc(32_768));
        },
        "more data than the window allows",
      ],
    ] as const) {
      const { client, server, forward } = await connectPair(sandbox);
      guardChannels(client);
      let arrived = 0;
      const { near, far } = await forward(() => {});
      client.on("tcp connection", () => arrived++);
      const error = once(client, "error");
      // The test plays a hostile server, which ssh2's methods do not.
      break_(
        server as unknown as ServerInternals,
        (far as unknown as { outgoing: { id: number } }).outgoing.id,
      );
      await expect(error).resolves.toMatchObject([
        { message: expect.stringContaining(message) },
      ]);
      expect(arrived).toBe(0);
      near.destroy();
    }
  });
});

interface ServerInternals {
  _protocol: {
    forwardedTcpip(
      channel: number,
      window: number,
      packetSize: number,
      from: object,
    ): void;
    channelData(id: number, data: Buffer): void;
  };
}
