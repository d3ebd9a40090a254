// Fails when an upgrade of ssh2 moves what skip-waits.ts reaches for. What it saves is counted in
// test/e2e/start-up.test.ts.
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { Client } from "ssh2";
import { afterAll, expect, it } from "vitest";
import { execAhead, skipKeyQuestion, skipServiceWait } from "./skip-waits.ts";
import { createSandbox } from "./testing/sandbox.ts";
import { connectPair, ssh2Server } from "./testing/ssh2-pair.ts";

const sandbox = createSandbox();
afterAll(() => sandbox.dispose());

it.each([
  ["asks first", false],
  ["signs at once", true],
])("a client that is told so %s", async (_, atOnce) => {
  const signed: boolean[] = [];
  const port = await ssh2Server(sandbox, (connection) =>
    connection.on("authentication", (context) => {
      if (context.method !== "publickey") return context.reject(["publickey"]);
      signed.push(context.signature !== undefined);
      context.accept();
    }),
  );
  const client = new Client();
  sandbox.defer(() => client.destroy());
  client.connect({
    ...{ host: "127.0.0.1", port, username: "me" },
    privateKey: readFileSync(sandbox.key().path),
    authHandler: ["publickey"],
  });
  skipKeyQuestion(client, () => atOnce);
  await once(client, "ready");
  expect(signed).toEqual(atOnce ? [true] : [false, true]);
});

it("a client offers its key before the server has accepted the service", async () => {
  const port = await ssh2Server(sandbox, (connection) =>
    connection.on("authentication", (context) => context.accept()),
  );
  const client = new Client();
  sandbox.defer(() => client.destroy());
  const order: string[] = [];
  client.connect({
    ...{ host: "127.0.0.1", port, username: "me" },
    authHandler: () => {
      order.push("key");
      return "none";
    },
    debug: (line) => {
      if (line === "Inbound: Received SERVICE_ACCEPT (ssh-userauth)")
        order.push("accepted");
    },
  });
  skipServiceWait(client, () => true);
  await once(client, "ready");
  expect(order).toEqual(["key", "accepted"]);
});

it("a command gets what was written before it was agreed to", async () => {
  const { client, server } = await connectPair(sandbox);
  const heard = new Promise<string>((resolve) =>
    server.on("session", (accept) =>
      accept().on("exec", (acceptExec) =>
        acceptExec().on("data", (chunk: Buffer) => resolve(String(chunk))),
      ),
    ),
  );
  const order: string[] = [];
  await new Promise<void>((resolve, reject) =>
    execAhead(
      client,
      "something",
      (channel) => {
        order.push("asked");
        channel.write("early");
      },
      (error) => {
        order.push("done");
        if (error) reject(error);
        else resolve();
      },
    ),
  );
  expect(await heard).toBe("early");
  expect(order).toEqual(["asked", "done"]);
});
