import { execFileSync } from "node:child_process";
import { chmodSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { fingerprintOf, keyTypeOf, shortKeyType } from "./host-key-blob.ts";
import { readKnownHosts } from "./known-hosts.ts";
import { pinHostKey } from "./pin-host-key.ts";
import { createSandbox, type TestKey } from "./testing/sandbox.ts";

const sandbox = createSandbox();
let ed: TestKey;
let other: TestKey;
let rsa: TestKey;
beforeAll(() => {
  ed = sandbox.key("ed25519");
  other = sandbox.key("ed25519");
  rsa = sandbox.key("rsa");
});
afterAll(() => sandbox.dispose());

const file = (...lines: string[]): string =>
  sandbox.write(sandbox.unique("known_hosts"), `${lines.join("\n")}\n`);
const keyOf = (key: TestKey): string =>
  key.line.split(" ").slice(0, 2).join(" ");
const statusOf = async (path: string, host: string, port: number, key = ed) =>
  (await readKnownHosts([path])).check(host, port, key.blob).status;

describe("known_hosts", () => {
  it("finds names, ports, lists, wildcards and negations as ssh-keygen -F does", async () => {
    const path = file(
      `plain.example.com ${keyOf(ed)} a comment`,
      `one,two.example.com,10.0.0.1\t${keyOf(ed)}`,
      `[port.example.com]:2222 ${keyOf(ed)}`,
      `*.wild.example.com,!not.wild.example.com ${keyOf(ed)}`,
      `[*.ports.example.com]:* ${keyOf(ed)}`,
      `UPPER.example.com ${keyOf(ed)}`,
      `::1 ${keyOf(ed)}`,
      `[fe80::1]:2222 ${keyOf(ed)}`,
    );
    const asked: [string, number][] = [
      ["plain.example.com", 22],
      ["PLAIN.example.com", 22],
      ["plain", 22],
      ["one", 22],
      ["two.example.com", 22],
      ["10.0.0.1", 22],
      ["10.0.0.10", 22],
      ["port.example.com", 2222],
      ["port.example.com", 22],
      ["port.example.com", 2223],
      ["a.wild.example.com", 22],
      ["not.wild.example.com", 22],
      ["wild.example.com", 22],
      ["x.ports.example.com", 99],
      ["upper.example.com", 22],
      ["::1", 22],
      ["fe80::1", 2222],
    ];
    for (const [host, port] of asked)
      expect
        .soft(await statusOf(path, host, port), `${host}:${port}`)
        .toBe(findsIt(path, host, port) ? "known" : "unknown");
  });

  it("reads what ssh-keygen -H has hashed", async () => {
    const path = file(
      `plain.example.com ${keyOf(ed)}`,
      `[port.example.com]:2222 ${keyOf(ed)}`,
    );
    execFileSync("ssh-keygen", ["-q", "-H", "-f", path], { stdio: "ignore" });
    expect(readFileSync(path, "utf8")).not.toContain("example.com");
    expect(await statusOf(path, "plain.example.com", 22)).toBe("known");
    expect(await statusOf(path, "port.example.com", 2222)).toBe("known");
    expect(await statusOf(path, "other.example.com", 22)).toBe("unknown");
    expect(await statusOf(path, "plain.example.com", 22, other)).toBe(
      "changed",
    );
  });

  it("takes a key that is known without a port for every port, as ssh does", async () => {
    const path = file(`vps ${keyOf(ed)}`);
    expect(await statusOf(path, "vps", 2222)).toBe("known");
    expect(await statusOf(path, "vps", 2222, other)).toBe("unknown");
  });

  it("tells a changed key, and where the old one stands", async () => {
    const path = file("# comment", "", `vps ${keyOf(ed)}`);
    const knownHosts = await readKnownHosts(["/no/such/file", path]);
    expect(knownHosts.check("vps", 22, other.blob)).toEqual({
      status: "changed",
      known: [
        {
          file: path,
          line: 3,
          type: "ssh-ed25519",
          fingerprint: ed.fingerprint,
          byPattern: false,
        },
      ],
    });
  });

  it("takes a key of another type for changed: a man in the middle would offer one", async () => {
    expect(await statusOf(file(`vps ${keyOf(rsa)}`), "vps", 22)).toBe(
      "changed",
    );
  });

  it("accepts any of several keys, from any of several files", async () => {
    const files = [
      file(`vps ${keyOf(rsa)}`),
      file(`vps ${keyOf(other)}`, `vps ${keyOf(ed)}`),
    ];
    const knownHosts = await readKnownHosts(files);
    expect(knownHosts.check("vps", 22, ed.blob).status).toBe("known");
    expect(knownHosts.check("vps", 22, rsa.blob).status).toBe("known");
  });

  it("refuses a revoked key, even where another line knows it", async () => {
    const path = file(`vps ${keyOf(ed)}`, `@revoked * ${keyOf(ed)}`);
    const verdict = (await readKnownHosts([path])).check("vps", 22, ed.blob);
    expect(verdict).toMatchObject({ status: "revoked", by: { line: 2 } });
    expect(await statusOf(path, "vps", 2222)).toBe("revoked");
    // The marker is about that key alone.
    expect(
      await statusOf(file(`@revoked vps ${keyOf(other)}`), "vps", 22),
    ).toBe("unknown");
  });

  it("does not take a certificate authority for the host's key", async () => {
    const path = file(`@cert-authority *.example.com ${keyOf(ed)}`);
    const knownHosts = await readKnownHosts([path]);
    expect(knownHosts.check("vps.example.com", 22, ed.blob)).toMatchObject({
      status: "unknown",
      authorities: [{ file: path, line: 1 }],
    });
  });

  it("counts broken lines and reads the others", async () => {
    const path = file(
      "vps",
      "vps ssh-ed25519",
      "vps ssh-ed25519 !!!!",
      `vps ssh-rsa ${ed.line.split(" ")[1]}`,
      `@unknown vps ${keyOf(ed)}`,
      "vps 2048 35 1234567890",
      `|2|x|y ${keyOf(ed)}`,
      `|1| ${keyOf(ed)}`,
      `vps ${keyOf(ed)}`,
    );
    const knownHosts = await readKnownHosts([path]);
    expect(knownHosts.broken).toEqual(
      [1, 2, 3, 4, 5, 6].map((n) => `${path}:${n}`),
    );
    expect(knownHosts.check("vps", 22, ed.blob).status).toBe("known");
  });

  it("knows which types to ask the server for first", async () => {
    const path = file(
      `vps ${keyOf(rsa)}`,
      `@revoked vps ${keyOf(ed)}`,
      `[vps]:2222 ${keyOf(ed)}`,
    );
    const knownHosts = await readKnownHosts([path]);
    expect([...knownHosts.knownTypes("vps", 22)]).toEqual(["ssh-rsa"]);
    expect([...knownHosts.knownTypes("vps", 2222)]).toEqual(["ssh-ed25519"]);
    expect([...knownHosts.knownTypes("vps", 99)]).toEqual(["ssh-rsa"]);
    expect([...knownHosts.knownTypes("other", 22)]).toEqual([]);
  });

  it("fails when a file is there and cannot be read: a changed key would look new", async () => {
    await expect(readKnownHosts([sandbox.folder])).rejects.toMatchObject({
      code: "config-unreadable",
      message: expect.stringContaining(sandbox.folder),
    });
  });
});

describe("pinning a key", () => {
  it("makes file and folder for the owner alone, in a form that ssh-keygen finds", async () => {
    const path = join(sandbox.unique("new"), "deep/known_hosts");
    await pinHostKey(path, "VPS.example.com", 2222, ed.blob);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(statSync(join(path, "..")).mode & 0o777).toBe(0o700);
    expect(findsIt(path, "vps.example.com", 2222)).toBe(true);
    expect(await statusOf(path, "vps.example.com", 2222)).toBe("known");
  });

  it("appends, and mends a last line without its end", async () => {
    const path = sandbox.write(
      sandbox.unique("known_hosts"),
      `one ${keyOf(other)}`,
    );
    chmodSync(path, 0o644);
    await pinHostKey(path, "two", 22, ed.blob);
    await pinHostKey(path, "::1", 22, ed.blob);
    expect(readFileSync(path, "utf8")).toBe(
      `one ${keyOf(other)}\ntwo ${keyOf(ed)}\n::1 ${keyOf(ed)}\n`,
    );
    expect(statSync(path).mode & 0o777).toBe(0o644);
  });

  it("hashes a name that means something else in the file", async () => {
    const path = sandbox.unique("known_hosts");
    for (const name of ["*", "a,b", "!x", "@revoked", "a b\nc"]) {
      await pinHostKey(path, name, 22, ed.blob);
      expect(await statusOf(path, name, 22)).toBe("known");
    }
    expect(await statusOf(path, "victim", 22)).toBe("unknown");
    expect((await readKnownHosts([path])).broken).toEqual([]);
  });

  it("says so when the disk is full", async () => {
    await expect(
      pinHostKey("/dev/full", "vps", 22, ed.blob),
    ).rejects.toMatchObject({
      code: "config-unreadable",
      message: expect.stringMatching(/\/dev\/full \(ENOSPC\)/),
    });
  });
});

describe("a key in wire format", () => {
  it("has the fingerprint that ssh-keygen shows", () => {
    for (const key of [ed, rsa]) {
      expect(fingerprintOf(key.blob)).toBe(key.fingerprint);
      expect(keyTypeOf(key.blob)).toBe(key.type);
    }
    expect(shortKeyType("ecdsa-sha2-nistp256")).toBe("ECDSA");
    expect(shortKeyType("sk-ssh-ed25519@openssh.com")).toBe("ED25519");
  });

  it.each([[[]], [[0, 0, 0, 9, 1]], [[0, 0, 0, 1, 7]], [[255, 255, 255, 255]]])(
    "has no type when it is %j",
    (bytes) => {
      expect(keyTypeOf(Buffer.from(bytes))).toBeUndefined();
    },
  );
});

function findsIt(path: string, host: string, port: number): boolean {
  const name = port === 22 ? host : `[${host}]:${port}`;
  try {
    execFileSync("ssh-keygen", ["-F", name, "-f", path], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}
