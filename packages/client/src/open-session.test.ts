import { afterAll, expect, it } from "vitest";
import { openSession } from "./open-session.ts";
import { createSandbox } from "./ssh/testing/sandbox.ts";
import { ssh2Server } from "./ssh/testing/ssh2-pair.ts";

const sandbox = createSandbox();
afterAll(() => sandbox.dispose());

it("takes a server that refuses the control command for no edge, and keeps its reason", async () => {
  const port = await ssh2Server(sandbox, (connection) => {
    connection.on("authentication", (context) => {
      if (context.method === "publickey") context.accept();
      else context.reject(["publickey"]);
    });
    connection.on("session", (accept) =>
      accept().on("exec", (_accept, rejectExec) => rejectExec()),
    );
  });
  await expect(
    openSession({
      server: `test@127.0.0.1:${port}`,
      identity: sandbox.key().path,
      knownHosts: [sandbox.unique("known_hosts")],
      sshConfig: "none",
      acceptNewHostKey: true,
    }),
  ).rejects.toMatchObject({
    code: "server-not-edge",
    message: expect.stringContaining("refused the control command"),
    cause: { code: "exec-failed" },
  });
});

it("gives up at once when told to, while the server is logged in to and no edge has answered", async () => {
  const stop = new AbortController();
  const port = await ssh2Server(sandbox, (connection) => {
    connection.on("authentication", (context) => {
      if (context.method === "publickey") context.accept();
      else context.reject(["publickey"]);
    });
    // It takes the control command and says nothing.
    connection.on("session", (accept) =>
      accept().on("exec", (acceptExec) => {
        acceptExec();
        stop.abort();
      }),
    );
  });
  const from = performance.now();
  await expect(
    openSession({
      server: `test@127.0.0.1:${port}`,
      identity: sandbox.key().path,
      knownHosts: [sandbox.unique("known_hosts")],
      sshConfig: "none",
      acceptNewHostKey: true,
      signal: stop.signal,
    }),
  ).rejects.toMatchObject({ code: "aborted" });
  // Well before anybody would have lost patience, which takes 10 seconds.
  expect(performance.now() - from).toBeLessThan(4_000);
});
