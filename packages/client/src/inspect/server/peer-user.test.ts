import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import net from "node:net";
import { expect, onTestFinished, test } from "vitest";
import {
  findOwner,
  isOwnConnection,
  peerUser,
  trustedUsers,
} from "./peer-user.ts";
import { useInspector } from "./use-inspector.ts";

// One line of another user's, as Linux writes it: 127.0.0.1:43690 to 127.0.0.1:4040.
const TABLE = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:0FC8 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 100 1
   1: 0100007F:AAAA 0100007F:0FC8 01 00000000:00000000 00:00000000 00000000  1001        0 101 1
   2: 0100007F:0FC8 0100007F:AAAA 01 00000000:00000000 00:00000000 00000000     0        0 102 1
`;

test("the owner is that of the other end, not of ours", () => {
  expect(findOwner(TABLE, 43_690, 4_040)).toBe(1_001);
});

test("whoever became root to start the client is trusted, and nobody is by a variable alone", () => {
  expect([...trustedUsers(0, { SUDO_UID: "1000" })]).toEqual([0, 1000]);
  expect([...trustedUsers(1000, { SUDO_UID: "1001" })]).toEqual([1000, 0]);
  expect([...trustedUsers(0, {})]).toEqual([0]);
});

test("a connection that is not listed has no known owner", () => {
  expect(findOwner(TABLE, 43_691, 4_040)).toBeUndefined();
});

async function useConnection(to: string) {
  const server = net.createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => void server.close());
  const { port } = server.address() as net.AddressInfo;
  const client = net.connect(port, to);
  const [[socket]] = (await Promise.all([
    once(server, "connection"),
    once(client, "connect"),
  ])) as unknown as [[net.Socket], unknown];
  onTestFinished(() => {
    client.destroy();
    socket.destroy();
  });
  return { port, client, socket };
}

test("a connection of this process is its user's own, and the system's table says so", async () => {
  const { port, client, socket } = await useConnection("127.0.0.1");
  expect(await isOwnConnection(socket)).toBe(true);
  if (process.platform !== "linux") return;
  const table = await readFile("/proc/self/net/tcp", "utf8");
  expect(findOwner(table, client.localPort!, port)).toBe(process.getuid!());
});

// Listed elsewhere than its address says: it had no known owner, so anybody's was taken for one of ours.
test.runIf(existsSync("/proc/self/net/tcp6"))(
  "a connection that came over IPv6 to an address of IPv4 has an owner",
  async () => {
    const { socket } = await useConnection("::ffff:127.0.0.1");
    expect(socket.remoteFamily).toBe("IPv4");
    expect(await peerUser(socket)).toBe(process.getuid!());
  },
);

test("another user of this machine gets neither the cookie nor ngrok's shapes, and the API with the token alone", async () => {
  // Only root can become somebody else; anybody else asks as themselves, and is let in.
  const own = process.getuid!();
  const stranger = own === 0 ? 65_534 : own;
  const inspector = await useInspector();
  const ask = async (path: string, headers: object = {}) => {
    const script = `fetch(${JSON.stringify(inspector.url + path)}, { headers: ${JSON.stringify(headers)} }).then((r) => console.log(r.status, r.headers.has("set-cookie")))`;
    const child = spawn(process.execPath, ["-e", script], {
      uid: stranger,
      env: {},
      cwd: "/",
    });
    let text = "";
    child.stdout.on("data", (chunk: Buffer) => (text += chunk.toString()));
    await once(child, "close");
    return text.trim();
  };
  const refused = stranger !== own && process.platform === "linux";
  expect(await ask("/")).toBe(refused ? "403 false" : "200 true");
  expect(await ask("/api/tunnels")).toBe(refused ? "403 false" : "200 false");
  const bearer = { authorization: `Bearer ${inspector.token}` };
  expect(await ask("/api/v1/status", bearer)).toBe("200 false");
});
