import { createSocket } from "node:dgram";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { expect, it, onTestFinished } from "vitest";
import { checkDomain } from "./check-domain.ts";

it("finds nothing to mend when the domain and all names under it lead to one address", async () => {
  const servers = await nameServer((name) =>
    name.endsWith("tunnel.example.com") ? "192.0.2.1" : undefined,
  );
  expect(await checkDomain("tunnel.example.com", { servers })).toEqual([]);
});

it("says that the wildcard record is missing", async () => {
  const servers = await nameServer((name) =>
    name === "tunnel.example.com" ? "192.0.2.1" : undefined,
  );
  expect(await checkDomain("tunnel.example.com", { servers })).toEqual([
    "Names under tunnel.example.com have no address (ENOTFOUND): add a wildcard record *.tunnel.example.com that leads to this machine.",
  ]);
});

it("says that both records are missing", async () => {
  const servers = await nameServer(() => undefined);
  const problems = await checkDomain("tunnel.example.com", { servers });
  expect(problems).toHaveLength(2);
  expect(problems[1]).toContain("add an A or AAAA record");
});

it("says when the names under a domain lead elsewhere", async () => {
  const servers = await nameServer((name) =>
    name === "tunnel.example.com" ? "192.0.2.1" : "192.0.2.2",
  );
  expect(await checkDomain("tunnel.example.com", { servers })).toEqual([
    "tunnel.example.com leads to 192.0.2.1 and names under it to 192.0.2.2: let both lead to this machine.",
  ]);
});

it("says so when no name server answers", async () => {
  const silent = await nameServer(() => "silence");
  const problems = await checkDomain("tunnel.example.com", {
    servers: silent,
    timeoutMs: 50,
  });
  expect(problems[0]).toContain("(ETIMEOUT)");
});

it("asks nobody for localhost and says who can find it", async () => {
  expect((await checkDomain("localhost"))[0]).toContain("this machine only");
});

// A name server with A records only (RFC 1035 section 4). Undefined: the name does not exist.
async function nameServer(
  addressOf: (name: string) => string | undefined,
): Promise<string[]> {
  const socket = createSocket("udp4");
  onTestFinished(() => void socket.close());
  socket.on("message", (query, from) => {
    const labels: string[] = [];
    let at = 12;
    while (query[at]! > 0) {
      labels.push(query.toString("latin1", at + 1, at + 1 + query[at]!));
      at += query[at]! + 1;
    }
    const question = query.subarray(12, at + 5);
    const wantsA = query.readUInt16BE(at + 1) === 1;
    const address = addressOf(labels.join("."));
    if (address === "silence") return;
    const header = Buffer.from(query.subarray(0, 12));
    header.writeUInt16BE(address === undefined ? 0x8183 : 0x8180, 2);
    const answers: Buffer[] = [];
    if (address !== undefined && wantsA)
      answers.push(
        Buffer.from([0xc0, 0x0c, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4]),
        Buffer.from(address.split(".").map(Number)),
      );
    header.writeUInt16BE(answers.length / 2, 6);
    header.writeUInt32BE(0, 8);
    socket.send(
      Buffer.concat([header, question, ...answers]),
      from.port,
      from.address,
    );
  });
  socket.bind(0, "127.0.0.1");
  await once(socket, "listening");
  return [`127.0.0.1:${(socket.address() as AddressInfo).port}`];
}
