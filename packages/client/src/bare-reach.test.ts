import { once } from "node:events";
import { createServer, type AddressInfo, type Socket } from "node:net";
import { readFileSync } from "node:fs";
import { expect, onTestFinished, test } from "vitest";
import {
  explainReach,
  parseBinding,
  startKnock,
  type Binding,
  type Knock,
} from "./bare-reach.ts";

const never = new AbortController().signal;

async function listen(host: string): Promise<number> {
  const server = createServer((socket) => socket.on("error", () => {}));
  server.listen(0, host);
  await once(server, "listening");
  onTestFinished(() => void server.close());
  return (server.address() as AddressInfo).port;
}

test("a knock that comes back through the forward is told from one that something else takes", async () => {
  const port = await listen("127.0.0.1");
  const own = startKnock("127.0.0.1", port, never);
  own.arrived();
  expect(await own.met).toBe("through");
  const other = startKnock("127.0.0.1", port, never);
  expect(await other.met).toBe("elsewhere");
});

test("a knock says which port it comes from, so that it is not taken for a visitor", async () => {
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => void server.close());
  const own = startKnock(
    "127.0.0.1",
    (server.address() as AddressInfo).port,
    never,
  );
  const [socket] = (await once(server, "connection")) as [Socket];
  socket.on("error", () => {});
  expect(own.localPort).toBe(socket.remotePort);
  own.arrived();
  await own.met;
});

test("a knock on a closed port is refused, and one on a name that is none has no way", async () => {
  const port = await listen("127.0.0.1");
  expect(await startKnock("127.0.0.2", port, never).met).toBe("refused");
  expect(await startKnock("name.invalid", port, never).met).toBe("unroutable");
});

test.runIf(process.platform === "linux").each([
  ["0.0.0.0", "everywhere"],
  ["::", "everywhere"],
  ["127.0.0.1", "loopback"],
  ["::1", "loopback"],
  ["127.0.0.2", "other"],
])("this machine's own listener on %s is bound %s", async (host, binding) => {
  const port = await listen(host);
  const text =
    readFileSync("/proc/net/tcp", "utf8") +
    readFileSync("/proc/net/tcp6", "utf8");
  expect(parseBinding(text, port)).toBe(binding);
});

test("nothing is known where nothing is said", () => {
  expect(parseBinding("", 80)).toBe("unknown");
  expect(parseBinding("sh: cat: not found\n", 80)).toBe("unknown");
});

test("the explanation names what is in the way", () => {
  const explain = (met: Knock, binding: Binding) =>
    explainReach({ knock: met, binding }, "vps", 23_000);
  expect(explain("through", "unknown")).toBeUndefined();
  expect(explain("refused", "loopback")).toContain("GatewayPorts");
  expect(explain("refused", "loopback")).not.toContain("firewall");
  expect(explain("silent", "everywhere")).toContain("firewall");
  expect(explain("silent", "everywhere")).not.toContain("GatewayPorts");
  expect(explain("refused", "unknown")).toMatch(/GatewayPorts.*firewall/);
  expect(explain("elsewhere", "everywhere")).toContain("another --remote-port");
});
