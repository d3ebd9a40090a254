// Which of localhost's two addresses is taken.
import { expect, test } from "vitest";
import { createLocalhostDialer } from "./dial-localhost.ts";
import { freePort, usePython, useServer } from "./use-servers.ts";

const signal = (): AbortSignal => new AbortController().signal;

test("the address that worked is tried first the next time", async () => {
  const four = await useServer(() => {});
  const dial = createLocalhostDialer(four.port);
  (await dial(signal())).destroy();
  const six = await useServer(() => {}, { port: four.port, host: "::1" });
  (await dial(signal())).destroy();
  expect([four.sockets.length, six.sockets.length]).toEqual([2, 0]);

  // It moves to the other address when the service does.
  await four.stop();
  (await dial(signal())).destroy();
  (await dial(signal())).destroy();
  expect(six.sockets).toHaveLength(2);
});

test("where both answer, one connection is made, to the address that browsers take", async () => {
  const six = await useServer(() => {}, { port: 0, host: "::1" });
  const four = await useServer(() => {}, { port: six.port, host: "127.0.0.1" });
  (await createLocalhostDialer(six.port)(signal())).destroy();
  expect([six.sockets.length, four.sockets.length]).toEqual([1, 0]);
});

test("an address that does not answer does not hold up the other one", async () => {
  // A listener that accepts nothing and whose queue is full: the system drops what comes next.
  const port = await usePython(`
import socket, time
s = socket.socket(socket.AF_INET6)
s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
s.bind(("::1", 0))
s.listen(0)
port = s.getsockname()[1]
held = []
for _ in range(8):
    c = socket.socket(socket.AF_INET6)
    c.setblocking(False)
    c.connect_ex(("::1", port))
    held.append(c)
print(port)
time.sleep(60)
`);
  await useServer(() => {}, { port, host: "127.0.0.1" });
  const socket = await createLocalhostDialer(port)(signal());
  expect(socket.remoteAddress).toBe("127.0.0.1");
  socket.destroy();
});

test("when both refuse, the refusal is told, and a caller who leaves ends the dial", async () => {
  const dial = createLocalhostDialer(await freePort());
  await expect(dial(signal())).rejects.toMatchObject({ code: "ECONNREFUSED" });
  const controller = new AbortController();
  const attempt = dial(controller.signal);
  controller.abort(new Error("left"));
  await expect(attempt).rejects.toThrow("left");
});
