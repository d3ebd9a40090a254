import { once } from "node:events";
import { afterAll, expect, it } from "vitest";
import { openSession } from "./open-session.ts";
import { playEdge, type EdgeSide } from "./ssh/testing/played-edge.ts";
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

it("takes its name back from a connection that it had given up and that reached the edge late, and only once", async () => {
  // What the edge does with each connection once the client asks for its tunnel on it.
  const script: ((edge: EdgeSide) => void)[] = [
    (edge) => edge.opened(),
    // The line is lost before the answer; the client gives up, and what it has asked for is under way all the same.
    (edge) => edge.cut(),
    // It arrives after what was asked for next.
    (edge) => edge.opened().superseded(),
    (edge) => edge.opened(),
  ];
  const sides: EdgeSide[] = [];
  const port = await ssh2Server(sandbox, (connection) => {
    connection.on("authentication", (context) => {
      if (context.method === "publickey") context.accept();
      else context.reject(["publickey"]);
    });
    connection.on("request", (accept) => accept?.(4_000));
    connection.on("session", (accept) =>
      accept().on("exec", (acceptExec) => {
        const side = playEdge(connection, acceptExec());
        sides.push(side);
        const index = sides.length - 1;
        side.onOpen = () => script[index]?.(side);
      }),
    );
  });
  const session = await openSession({
    server: `test@127.0.0.1:${port}`,
    identity: sandbox.key().path,
    knownHosts: [sandbox.unique("known_hosts")],
    sshConfig: "none",
    acceptNewHostKey: true,
  });
  sandbox.defer(() => session.close());
  const tunnel = await session.open({ port: 1, name: "shop" });
  const back = once(tunnel, "reconnected");
  sides[0]!.cut();
  await back;
  if (sides.length < 4) await once(tunnel, "reconnected");
  expect([sides.length, tunnel.state]).toEqual([4, "online"]);
  sides[3]!.superseded();
  await expect(tunnel.closed).rejects.toMatchObject({ code: "superseded" });
}, 20_000);
