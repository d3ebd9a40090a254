// What the inspector's answers have in common.
import { once } from "node:events";
import { createServer, type ServerResponse } from "node:http";
import net, { type AddressInfo } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { untilGone } from "./respond.ts";

test("whoever waits for an answer goes away, before or after somebody looks", async () => {
  const server = createServer().listen(0, "127.0.0.1");
  onTestFinished(() => void server.close());
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const visitor = net.connect(port, "127.0.0.1");
  visitor.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  const [, response] = (await once(server, "request")) as [
    unknown,
    ServerResponse,
  ];
  const early = untilGone(response);
  expect(early.aborted).toBe(false);
  visitor.destroy();
  await once(response, "close");
  expect(early.aborted).toBe(true);
  expect(untilGone(response).aborted).toBe(true);
});
