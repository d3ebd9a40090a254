import { createSocket } from "node:dgram";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { loadConfig } from "../config/load.ts";
import { check } from "./check.ts";
import { fakeIo } from "./fake-io.fixture.ts";

it("says which records to add for a domain without DNS, with status 11", async () => {
  const folder = mkdtempSync(join(tmpdir(), "expose-check-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const config = loadConfig({
    values: { domain: "tunnel.example.com", "state-dir": folder },
  });
  const servers = [await emptyNameServer()];
  const io = fakeIo();
  await expect(check(config, { dns: true, servers }, io)).rejects.toMatchObject(
    {
      code: "domain-unresolved",
      exitStatus: 11,
      message: expect.stringMatching(
        /wildcard record \*\.tunnel\.example\.com[^]*add an A or AAAA record/,
      ),
    },
  );
  expect(io.out()).toMatch(/^configuration: right\nusers file: /);

  // The same without DNS has nothing to say against it.
  expect(await check(config, { dns: false, servers }, fakeIo())).toBe(0);
});

// A name server that knows no name: NXDOMAIN for every question (RFC 1035 section 4.1.1).
async function emptyNameServer(): Promise<string> {
  const socket = createSocket("udp4");
  onTestFinished(() => void socket.close());
  socket.on("message", (query, from) => {
    const answer = Buffer.from(query);
    answer.writeUInt16BE(0x8183, 2);
    socket.send(answer, from.port, from.address);
  });
  socket.bind(0, "127.0.0.1");
  await once(socket, "listening");
  return `127.0.0.1:${(socket.address() as AddressInfo).port}`;
}
