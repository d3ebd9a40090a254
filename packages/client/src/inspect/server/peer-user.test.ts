import { once } from "node:events";
import { readFile } from "node:fs/promises";
import net from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { findOwner, isOwnConnection } from "./peer-user.ts";

// One line of another user's, as Linux writes it: 127.0.0.1:43690 to 127.0.0.1:4040.
const TABLE = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:0FC8 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 100 1
   1: 0100007F:AAAA 0100007F:0FC8 01 00000000:00000000 00:00000000 00000000  1001        0 101 1
   2: 0100007F:0FC8 0100007F:AAAA 01 00000000:00000000 00:00000000 00000000     0        0 102 1
`;

test("the owner is that of the other end, not of ours", () => {
  expect(findOwner(TABLE, 43_690, 4_040)).toBe(1_001);
});

test("a connection that is not listed has no known owner", () => {
  expect(findOwner(TABLE, 43_691, 4_040)).toBeUndefined();
});

test("a connection of this process is its user's own, and the system's table says so", async () => {
  const server = net.createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => void server.close());
  const { port } = server.address() as net.AddressInfo;
  const client = net.connect(port, "127.0.0.1");
  const [[socket]] = (await Promise.all([
    once(server, "connection"),
    once(client, "connect"),
  ])) as unknown as [[net.Socket], unknown];
  onTestFinished(() => {
    client.destroy();
    socket.destroy();
  });
  expect(await isOwnConnection(socket)).toBe(true);
  if (process.platform !== "linux") return;
  const table = await readFile("/proc/self/net/tcp", "utf8");
  expect(findOwner(table, client.localPort!, port)).toBe(process.getuid!());
});
