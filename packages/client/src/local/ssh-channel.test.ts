// The same upstream behind channels of ssh2 as the library makes them, which behave unlike sockets in many ways.
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import type net from "node:net";
import type { JoinResult } from "@expose/protocol";
import ssh2 from "ssh2";
import { expect, onTestFinished, test } from "vitest";
import { ssh2HostKey } from "../../../../test/harness/ssh2-host-key.ts";
import { createUpstream } from "./upstream.ts";
import { readAll, useServer } from "./use-servers.ts";

test("bytes pass both ways, and the channel closes when both have ended", async () => {
  const bytes = randomBytes(5_000_000);
  const { open } = await useTunnel((socket) => void socket.pipe(socket));
  const { visitor, result } = await open();
  const answer = readAll(visitor);
  visitor.write(bytes, () => visitor.eof());
  expect((await answer).equals(bytes)).toBe(true);
  expect(await result).toEqual({
    bytesAToB: bytes.length,
    bytesBToA: bytes.length,
  });
});

test("an idle channel is closed without a dial", async () => {
  const { open, server } = await useTunnel(() => {});
  const { visitor, result } = await open();
  visitor.destroy();
  expect(await result).toMatchObject({ bytesAToB: 0, bytesBToA: 0 });
  expect(server.sockets).toHaveLength(0);
});

test("a visitor's abort reaches an upstream that reads nothing while the channel is full", async () => {
  const { open, server } = await useTunnel((socket) => socket.pause());
  const { visitor, result } = await open();
  // Fills the sockets' buffers and the channel's window.
  visitor.write(Buffer.alloc(12_000_000));
  await expect.poll(() => server.sockets.length).toBe(1);
  visitor.close();
  expect(await result).toMatchObject({ error: expect.any(Error) });
});

test("an upstream that fails closes a channel that nobody reads", async () => {
  const { open, server } = await useTunnel((socket) => socket.pause());
  const { visitor, result } = await open();
  visitor.write(Buffer.alloc(12_000_000));
  await expect.poll(() => server.sockets.length).toBe(1);
  server.sockets[0]!.resetAndDestroy();
  expect(await result).toMatchObject({ error: expect.any(Error) });
  await readAll(visitor);
});

test("a failed dial closes the channel without a byte", async () => {
  const { open, server } = await useTunnel(() => {});
  await server.stop();
  const { visitor, result } = await open();
  visitor.write("GET");
  expect(await readAll(visitor)).toHaveLength(0);
  expect((await result).error?.message).toMatch(/^Nothing listens on /);
});

test("a visitor who leaves while the service is away is noticed", async () => {
  const { open, server, upstream } = await useTunnel((socket) =>
    socket.end("1"),
  );
  const before = await open();
  before.visitor.write("x");
  expect((await readAll(before.visitor)).toString()).toBe("1");
  before.visitor.destroy();
  await server.stop();
  const { visitor, result } = await open();
  visitor.write(Buffer.alloc(1_000_000));
  await expect.poll(() => upstream.openConnections).toBe(1);
  visitor.close();
  expect((await result).error?.message).toBe(
    "The channel closed before the local service was there.",
  );
  expect(upstream.openConnections).toBe(0);
});

test("a connection that is lost leaves nothing open", async () => {
  const { open, upstream, cut } = await useTunnel(() => {});
  const busy = await open();
  const idle = await open();
  busy.visitor.write("x");
  cut();
  await Promise.all([busy.result, idle.result]);
  expect(upstream.openConnections).toBe(0);
});

/** A service, an upstream for it, and visitors' channels over a real SSH connection. */
async function useTunnel(onConnection: (socket: net.Socket) => void) {
  const server = await useServer(onConnection);
  const upstream = createUpstream({
    kind: "tcp",
    host: "127.0.0.1",
    port: server.port,
  });
  const results: ((result: JoinResult) => void)[] = [];
  const { connection, client } = await useSshConnection();
  client.on("tcp connection", (_details, accept) =>
    upstream.serve(accept(), undefined, (result) => results.shift()?.(result)),
  );
  onTestFinished(() => upstream.close());
  const open = async () => {
    const result = new Promise<JoinResult>((resolve) => results.push(resolve));
    const visitor = await new Promise<ssh2.ServerChannel>((resolve, reject) =>
      connection.forwardOut("127.0.0.1", 2, "127.0.0.1", 1, (error, channel) =>
        error ? reject(error) : resolve(channel),
      ),
    );
    visitor.on("error", () => {});
    return { visitor, result };
  };
  return { server, upstream, open, cut: () => client.destroy() };
}

async function useSshConnection() {
  const key = ssh2HostKey();
  const server = new ssh2.Server({ hostKeys: [key] });
  const connected = new Promise<ssh2.Connection>((resolve) => {
    server.on("connection", (connection) => {
      connection.on("error", () => {});
      connection.on("authentication", (context) => context.accept());
      connection.on("request", (accept) => accept?.());
      connection.on("ready", () => resolve(connection));
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const client = new ssh2.Client();
  client.on("error", () => {});
  const { port } = server.address() as net.AddressInfo;
  client.connect({ host: "127.0.0.1", port, username: "x", password: "x" });
  await once(client, "ready");
  await new Promise<void>((resolve, reject) =>
    client.forwardIn("127.0.0.1", 2, (error) =>
      error ? reject(error) : resolve(),
    ),
  );
  onTestFinished(async () => {
    client.destroy();
    await new Promise((resolve) => server.close(resolve));
  });
  return { connection: await connected, client };
}
