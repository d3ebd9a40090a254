// The built-in server that first tunnels lead to.
import { once } from "node:events";
import net from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { startDebugServer, type DebugRequest } from "./debug-server.ts";
import { readAll } from "./use-servers.ts";

test("answers hello and the path, and reports the request as it came", async () => {
  const { ask, requests } = await useDebugServer();
  const answer = await ask(
    "POST /a%20b?c=%3Cd%3E HTTP/1.1\r\nHost: x\r\nX-Twice: 1\r\nx-twice: 2\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello",
  );
  expect(answer).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
  expect(answer).toMatch(/\r\n\r\nhello \/a%20b\?c=%3Cd%3E\n$/);
  expect(answer).toMatch(/Content-Type: text\/plain; charset=utf-8\r\n/);
  expect(requests).toEqual([
    {
      method: "POST",
      target: "/a%20b?c=%3Cd%3E",
      httpVersion: "1.1",
      headers: [
        ["Host", "x"],
        ["X-Twice", "1"],
        ["x-twice", "2"],
        ["Content-Length", "5"],
        ["Connection", "close"],
      ],
    },
  ]);
});

test("markup comes back as text, and other bytes than ASCII are no request", async () => {
  const { ask, requests } = await useDebugServer();
  const answer = await ask(
    "GET /<b> HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
  );
  expect(answer).toMatch(
    /X-Content-Type-Options: nosniff\r\n[^]*hello \/<b>\n$/,
  );
  expect(await ask("GET /\x1b[2J HTTP/1.1\r\nHost: x\r\n\r\n")).toMatch(
    /^HTTP\/1\.1 400 /,
  );
  expect(await ask("GET /ü HTTP/1.1\r\nHost: x\r\n\r\n")).toMatch(
    /^HTTP\/1\.1 400 /,
  );
  expect(requests).toHaveLength(1);
});

test("a body is drained, so that the connection serves the next request", async () => {
  const { ask, requests } = await useDebugServer();
  const body = "x".repeat(500_000);
  const answers = await ask(
    `PUT /1 HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.length}\r\n\r\n${body}` +
      "HEAD /2 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
  );
  expect(answers.match(/HTTP\/1\.1 200 OK/g)).toHaveLength(2);
  expect(answers).not.toContain("hello /2");
  expect(requests.map(({ target }) => target)).toEqual(["/1", "/2"]);
});

test("closing cuts what is open, more than once is fine, and the port is free again", async () => {
  const { server } = await useDebugServer();
  const idle = net.connect(server.port, "127.0.0.1");
  await once(idle, "connect");
  await Promise.all([server.close(), server.close()]);
  await readAll(idle);
  const refused = net.connect(server.port, "127.0.0.1");
  await expect(once(refused, "connect")).rejects.toThrow("ECONNREFUSED");
});

async function useDebugServer() {
  const requests: DebugRequest[] = [];
  const server = await startDebugServer((request) => requests.push(request));
  onTestFinished(() => server.close());
  const ask = async (bytes: string): Promise<string> => {
    const socket = net.connect(server.port, "127.0.0.1");
    onTestFinished(() => void socket.destroy());
    socket.write(bytes);
    return (await readAll(socket)).toString();
  };
  return { server, requests, ask };
}
