// Fails when an upgrade of ssh2 moves what inside-ssh2.ts reaches for. The behaviour on top of it is tested elsewhere.
import { once } from "node:events";
import { Client } from "ssh2";
import { afterAll, describe, expect, it } from "vitest";
import {
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
});
