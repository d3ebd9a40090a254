import { once } from "node:events";
import net from "node:net";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { expect, it, onTestFinished, vi } from "vitest";
import { connectSocket } from "./socket.ts";

it("keeps nothing of the attempt on a connection that may stay for days, and survives its errors", async () => {
  const server = net.createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => void server.close());
  const { port } = server.address() as net.AddressInfo;
  const accepted = once(server, "connection");
  const { socket, signal } = await (async () => {
    const attempt = new AbortController();
    const address = { host: "127.0.0.1", port };
    return {
      socket: await connectSocket(address, attempt.signal),
      signal: new WeakRef(attempt.signal),
    };
  })();
  onTestFinished(() => void socket.destroy());
  // A finished promise may still hold on for a turn of the loop.
  await vi.waitUntil(() => {
    collectGarbage();
    return signal.deref() === undefined;
  });
  const [peer] = (await accepted) as [net.Socket];
  // once() would listen to errors.
  const closed = new Promise<boolean>((resolve) =>
    socket.once("close", resolve).resume(),
  );
  peer.resetAndDestroy();
  expect(await closed).toBe(true);
});

function collectGarbage(): void {
  setFlagsFromString("--expose-gc");
  (runInNewContext("gc") as () => void)();
}
