import type { Socket } from "node:net";
import { afterAll, describe, expect, it } from "vitest";
import { listAgentKeys } from "./agent.ts";
import { createSandbox } from "./testing/sandbox.ts";
import { agentServer, sshString } from "./testing/wire.ts";

const sandbox = createSandbox();
afterAll(() => sandbox.dispose());

describe("listing an agent's keys", () => {
  it("refuses what is no agent", async () => {
    const replies: [string, (socket: Socket) => void][] = [
      [
        "no ssh-agent",
        (socket) => socket.write("HTTP/1.1 400 Bad Request\r\n\r\n"),
      ],
      [
        "no ssh-agent",
        (socket) => socket.write(sshString(Buffer.from([12, 0, 0, 0, 9]))),
      ],
      [
        "no ssh-agent",
        (socket) =>
          socket.write(sshString(Buffer.from([12, 255, 255, 255, 255]))),
      ],
      ["no ssh-agent", (socket) => socket.write(sshString(""))],
      ["it is locked", (socket) => socket.write(sshString(Buffer.from([5])))],
      ["closed the connection", (socket) => socket.end()],
    ];
    for (const [reason, reply] of replies) {
      const path = await agentServer(sandbox, (socket) => {
        socket.on("error", () => {});
        socket.once("data", () => reply(socket));
      });
      await expect(listAgentKeys(path)).rejects.toThrow(reason);
    }
  });

  it("reads an answer that comes byte by byte", async () => {
    const key = sandbox.key();
    const body = Buffer.concat([
      Buffer.from([12, 0, 0, 0, 1]),
      sshString(key.blob),
      sshString("slow"),
    ]);
    const path = await agentServer(sandbox, (socket) => {
      socket.setNoDelay(true);
      socket.on("error", () => {});
      socket.once("data", () => {
        for (const byte of sshString(body)) socket.write(Buffer.from([byte]));
      });
    });
    const keys = await listAgentKeys(path);
    expect(keys).toMatchObject([
      { fingerprint: key.fingerprint, comment: "slow" },
    ]);
  });
});
