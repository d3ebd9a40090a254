// one ingress only: none, forwards to the server's side need nothing but a plain sshd
// `expose local` against Debian's own sshd: many connections at once, half-close, what cannot be reached, coming back.
import { connect, createServer, type AddressInfo, type Socket } from "node:net";
import { once } from "node:events";
import { expect, onTestFinished, test } from "vitest";
import { runExpose, startExpose } from "../harness/cli.ts";
import {
  freePort,
  startPlainSshd,
  type PlainSshd,
} from "../harness/plain-sshd.ts";
import { hello, startUpstream } from "../harness/upstreams.ts";

async function start(sshd: PlainSshd, ...forwards: string[]) {
  const expose = startExpose(
    ["local", ...forwards, "--server", sshd.server, "--json"],
    sshd.env,
  );
  await expose.waitFor(
    new RegExp(`(?:[^]*?"event":"ready".*\\n){${forwards.length}}`),
  );
  const ports = [...expose.stdout.matchAll(/"url":"[^"]*:(\d+)"/g)].map(
    (match) => Number(match[1]),
  );
  return { expose, ports };
}

test("many connections at once each get their own answer, over IPv4 and IPv6", async () => {
  const sshd = await startPlainSshd();
  const upstream = await startUpstream(hello);
  const { expose, ports } = await start(sshd, `0:127.0.0.1:${upstream.port}`);
  const answers = await Promise.all(
    Array.from({ length: 60 }, async (_, n) => {
      const host = n % 2 === 0 ? "127.0.0.1" : "[::1]";
      const response = await fetch(`http://${host}:${ports[0]}/${n}`);
      return response.text();
    }),
  );
  expect(answers).toEqual(Array.from({ length: 60 }, (_, n) => `hello /${n}`));
  expose.kill("SIGINT");
  expect(await expose.exited).toEqual({ code: 0, signal: null });
  await expect(fetch(`http://127.0.0.1:${ports[0]}/`)).rejects.toThrow(
    "fetch failed",
  );
});

test("in a pipe stdout holds the local addresses alone", async () => {
  const sshd = await startPlainSshd();
  const [a, b] = [await freePort(), await freePort()];
  const expose = startExpose(
    [
      "local",
      `${a}:localhost:1`,
      `127.0.0.1:${b}:localhost:2`,
      "--server",
      sshd.server,
    ],
    sshd.env,
  );
  await expose.waitFor(/localhost:2 \(through/);
  await expose.waitFor(/^localhost:\d+\n127.*\n/);
  expect(expose.stdout).toBe(`localhost:${a}\n127.0.0.1:${b}\n`);
});

test("the end of one direction is passed on while the other goes on", async () => {
  const sshd = await startPlainSshd();
  let heard: Promise<string> | undefined;
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.end("that was all from me");
    heard = readAll(socket);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => void server.close());
  const { port } = server.address() as AddressInfo;
  const { ports } = await start(sshd, `0:127.0.0.1:${port}`);
  const socket = connect({
    port: ports[0]!,
    host: "127.0.0.1",
    allowHalfOpen: true,
  });
  expect(await readAll(socket)).toBe("that was all from me");
  socket.write("but not ");
  socket.end("from me");
  expect(await heard).toBe("but not from me");
});

test("what the server cannot reach closes the connection, and is said", async () => {
  const sshd = await startPlainSshd();
  const nothing = await freePort();
  const { expose, ports } = await start(sshd, `0:127.0.0.1:${nothing}`);
  const socket = connect(ports[0]!, "127.0.0.1");
  expect(await readAll(socket)).toBe("");
  await expose.waitFor(/"event":"upstream".*"state":"down".*refused/);
});

test("after kill -9 of sshd the same port works again", async () => {
  const sshd = await startPlainSshd();
  const upstream = await startUpstream(hello);
  const { expose, ports } = await start(sshd, `0:127.0.0.1:${upstream.port}`);
  await sshd.kill();
  await expose.waitFor(/"event":"reconnecting"/);
  // While it is down nobody is kept waiting.
  expect(await readAll(connect(ports[0]!, "127.0.0.1"))).toBe("");
  await sshd.restart();
  await expose.waitFor(/"event":"reconnected"/);
  const response = await fetch(`http://127.0.0.1:${ports[0]}/again`);
  expect(await response.text()).toBe("hello /again");
});

/** All that comes until the end. Not `stream/consumers`, which gives up on a socket whose own side has ended. */
function readAll(socket: Socket): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = "";
    socket.on("data", (chunk) => (text += String(chunk)));
    socket.on("end", () => resolve(text));
    socket.on("error", reject);
  });
}

test("a local port that is taken is refused before the server is asked", async () => {
  const upstream = await startUpstream(hello);
  const result = await runExpose(
    [
      "local",
      `${upstream.port}:localhost:80`,
      "--server",
      "nobody@127.0.0.1:1",
    ],
    { HOME: "/nonexistent" },
  );
  expect(result.code).toBe(20);
  expect(result.stderr).toContain(
    `Cannot listen on 127.0.0.1:${upstream.port}: another program listens there`,
  );
});

test("a forward that is none is refused", async () => {
  const result = await runExpose(
    ["local", "7777:localhost", "--server", "nobody@127.0.0.1:1"],
    { HOME: "/nonexistent" },
  );
  expect(result.code).toBe(2);
  expect(result.stderr).toContain("as in 7777:localhost:7780");
});
