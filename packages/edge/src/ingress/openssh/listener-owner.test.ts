import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { once } from "node:events";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { findListenerUids } from "./listener-owner.ts";

// As the kernel writes it: listeners first, then connections.
const TABLE = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1538 00000000:0000 0A 00000000:00000000 00:00000000 00000000   101        0 1 1 0 100 0 0 10 0
   1: 0100007F:9C40 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1500        0 2 1 0 100 0 0 10 0
   2: 00000000:9C40 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 3 1 0 100 0 0 10 0
   3: 0200007F:9C41 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1500        0 4 1 0 100 0 0 10 0
   4: 0100007F:9C42 0100007F:1538 01 00000000:00000000 00:00000000 00000000  1500        0 5 1 0 20 4 30 10 -1
   5: 0100007F:9C43 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1500        0 6 1 0 100 0 0 10 0
`;

async function findIn(table: string, port: number) {
  const folder = mkdtempSync(join(tmpdir(), "expose-owner-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const file = join(folder, "tcp");
  writeFileSync(file, table);
  return findListenerUids(port, file);
}

it.each([
  ["one listener", 5432, [101]],
  ["several listeners, a wildcard among them", 40_000, [1500, 0]],
  ["a listener on another loopback address", 40_001, []],
  ["a connection, which is no listener", 40_002, []],
  ["nobody", 40_100, []],
])("finds %s", async (_, port, uids) => {
  expect([...(await findIn(TABLE, port))!]).toEqual(uids);
});

it("reads no further than the listeners", async () => {
  expect([...(await findIn(TABLE, 40_003))!]).toEqual([]);
});

it("cannot tell where there is no such table", async () => {
  expect(await findListenerUids(80, "/nonexistent/tcp")).toBeUndefined();
});

it.runIf(process.platform === "linux")(
  "finds who listens on this machine",
  async () => {
    const server = createServer();
    onTestFinished(() => void server.close());
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    expect([...(await findListenerUids(port))!]).toEqual([process.getuid!()]);
  },
);
