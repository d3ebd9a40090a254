import { execFileSync, spawnSync } from "node:child_process";
import {
  chmodSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, describe, it, onTestFinished } from "vitest";
import {
  formatKeysFile,
  writeKeysFile,
  type KeysFileEntry,
} from "./keys-file.ts";

const TYPE = "ssh-ed25519";

function useFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "expose-keys-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

const entry = (
  blob: string,
  socketName = "alice.sock",
  directPorts: number[] = [],
): KeysFileEntry => ({ type: TYPE, blob, socketName, directPorts });

describe("writeKeysFile", () => {
  it("replaces the file as a whole, readable for the tunnels' account whatever the umask", async () => {
    const file = join(useFolder(), "keys");
    const umask = process.umask(0o077);
    onTestFinished(() => void process.umask(umask));
    await writeKeysFile(file, "old\n");
    await writeKeysFile(file, "new\n");
    expect(readFileSync(file, "utf8")).toBe("new\n");
    expect(statSync(file).mode & 0o777).toBe(0o644);
  });

  it("leaves the old file and nothing else behind when it fails", async () => {
    const folder = useFolder();
    await expect(
      writeKeysFile(join(folder, "no", "keys"), "x"),
    ).rejects.toMatchObject({ code: "state-unwritable" });
    expect(readdirSync(folder)).toEqual([]);
  });

  it("refuses fields that would not be read back", () => {
    expect(() => formatKeysFile([entry("AAAA", "a b.sock")])).toThrow("space");
    expect(() => formatKeysFile([entry("")])).toThrow("space");
  });
});

describe("authorized-keys, sshd's AuthorizedKeysCommand", () => {
  function useProgram(text: string): (...args: string[]) => string {
    const folder = useFolder();
    const program = join(folder, "authorized-keys");
    const source = readFileSync(
      new URL("../../../../../infra/sshd/authorized-keys", import.meta.url),
      "utf8",
    );
    writeFileSync(program, source.replace("/var/lib/expose/openssh", folder));
    chmodSync(program, 0o755);
    writeFileSync(join(folder, "keys"), text);
    return (...args) => {
      const result = spawnSync(program, args, { encoding: "utf8" });
      expect(result.stderr).toBe("");
      expect(result.status).toBe(0);
      return result.stdout;
    };
  }

  it("prints the line of the key, which restricts it to forwards on 127.0.0.1 and one command", () => {
    const ask = useProgram(
      formatKeysFile([entry("AAAA", "bob.sock"), entry("BBBB")]),
    );
    expect(ask(TYPE, "BBBB")).toBe(
      'restrict,port-forwarding,permitlisten="127.0.0.1:*",command="exec /usr/libexec/expose/control-session alice.sock" ssh-ed25519 BBBB\n',
    );
  });

  it("adds the public ports that were granted", () => {
    const ask = useProgram(
      formatKeysFile([entry("AAAA", "a.sock", [20_000, 20_001])]),
    );
    expect(ask(TYPE, "AAAA")).toContain(
      ',permitlisten="127.0.0.1:*",permitlisten="*:20000",permitlisten="*:20001",command=',
    );
  });

  it("finds a key among a thousand, with a thousand ports", () => {
    const ports = Array.from({ length: 1_000 }, (_, i) => 20_000 + i);
    const ask = useProgram(
      formatKeysFile(
        Array.from({ length: 1_000 }, (_, i) =>
          entry(`AAAA${i}`, `u${i}.sock`, i === 999 ? ports : []),
        ),
      ),
    );
    const line = ask(TYPE, "AAAA999");
    expect(line).toContain("control-session u999.sock");
    expect(line.match(/permitlisten="\*:/g)).toHaveLength(1_000);
  });

  it("prints lines that sshd's own parser takes", () => {
    const folder = useFolder();
    execFileSync("ssh-keygen", [
      "-q",
      "-t",
      "ed25519",
      "-N",
      "",
      "-f",
      join(folder, "id"),
    ]);
    const [, blob = ""] = readFileSync(join(folder, "id.pub"), "utf8").split(
      " ",
    );
    const ask = useProgram(formatKeysFile([entry(blob, "a@b.sock", [20_000])]));
    const listing = execFileSync("ssh-keygen", ["-l", "-f", "-"], {
      input: ask(TYPE, blob),
      encoding: "utf8",
    });
    expect(listing).toContain("(ED25519)");
  });

  it.each([
    ["another key", [TYPE, "CCCC"]],
    ["the key under another type", ["ssh-rsa", "AAAA"]],
    ["a part of the key", [TYPE, "AAA"]],
    ["a pattern", [TYPE, "AAA."]],
    ["a pattern for the type", [".*", "AAAA"]],
    ["a number that is equal", [TYPE, "1e3"]],
    ["nothing", []],
    ["one word", [TYPE]],
    ["empty words", ["", ""]],
    ["an option", ["-f", "/etc/passwd"]],
    ["an assignment", ["FS=s", "AAAA"]],
    ["a file", ["/etc/passwd", "AAAA"]],
    ["a command", ["$(id)", "`id`"]],
    ["a line end", [TYPE, "AAAA\nBBBB"]],
    ["quotes", [TYPE, 'AAAA" {system("id")}']],
    ["a comment's sign", ["#", "Written"]],
  ])("prints nothing for %s", (_, args) => {
    const ask = useProgram(formatKeysFile([entry("AAAA"), entry("1000")]));
    expect(ask(...args)).toBe("");
  });

  it.each([
    "ssh-ed25519 AAAA ../x.sock -",
    "ssh-ed25519 AAAA .x.sock -",
    'ssh-ed25519 AAAA x";.sock -',
    "ssh-ed25519 AAAA x -",
    "ssh-ed25519 AAAA x.sock 20000,",
    "ssh-ed25519 AAAA x.sock 20000 more",
    "ssh-ed25519 AAAA x.sock",
    "ssh-ed25519 AAAA x.sock *",
    "ssh-ed25519 AAAA $(id).sock -",
  ])("passes over a line that is none: %s", (line) => {
    expect(useProgram(`${line}\n`)(TYPE, "AAAA")).toBe("");
  });

  it("grants no privileged port, whatever the file says", () => {
    const ask = useProgram(`${TYPE} AAAA x.sock 80,1023,1024,65536\n`);
    const line = ask(TYPE, "AAAA");
    expect(line.match(/permitlisten="\*:\d+"/g)).toEqual([
      'permitlisten="*:1024"',
    ]);
  });
});
