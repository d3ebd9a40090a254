import { readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { useFolder, useKey } from "../registry/ssh-keygen.fixture.ts";
import { fakeIo } from "./fake-io.fixture.ts";
import { runCli } from "./run.ts";

describe("keys", () => {
  it("go from ssh-keygen into the users file, into the list and out again", async () => {
    const file = usersFile();
    const [a, b, c] = [useKey(), useKey("rsa", 2048), useKey("ecdsa", 384)];
    expect(
      await keys(file, [
        "add",
        "alice@laptop",
        `${a.publicText} her laptop`,
        "--names",
        "shop,api-*",
        "--max-tunnels",
        "5",
        "--direct-ports",
        "20000-20009",
      ]),
    ).toEqual({
      status: 0,
      out: `added ${a.fingerprint} (ssh-ed25519) for alice@laptop\n`,
      err: "",
    });
    expect(
      await keys(file, ["add", "alice@laptop", `${b.file}.pub`]),
    ).toMatchObject({ status: 0 });
    expect(
      await keys(
        file,
        ["add", "bob", "-"],
        `# from his home page\n${c.publicText}\n`,
      ),
    ).toMatchObject({ status: 0 });
    expect(statSync(file).mode & 0o777).toBe(0o600);

    const { out } = await keys(file, ["list"]);
    expect(out.split("\n")).toEqual([
      expect.stringMatching(
        /^IDENTITY {6}TYPE +FINGERPRINT +OPTIONS +COMMENT$/,
      ),
      expect.stringContaining(
        `alice@laptop  ssh-ed25519          ${a.fingerprint}  names="shop,api-*",max-tunnels=5,direct-ports="20000-20009"  her laptop`,
      ),
      expect.stringContaining(b.fingerprint),
      expect.stringMatching(
        new RegExp(`^bob +ecdsa-sha2-nistp384 +${escape(c.fingerprint)} +-$`),
      ),
      "",
    ]);
    const list: unknown = JSON.parse(
      (await keys(file, ["list", "--json"])).out,
    );
    expect(list).toEqual([
      {
        id: "alice@laptop",
        names: ["shop", "api-*"],
        maxTunnels: 5,
        directPorts: Array.from({ length: 10 }, (_, i) => 20_000 + i),
        keys: [
          {
            type: "ssh-ed25519",
            fingerprint: a.fingerprint,
            comment: "her laptop",
            line: 1,
          },
          { type: "ssh-rsa", fingerprint: b.fingerprint, comment: "", line: 2 },
        ],
      },
      {
        id: "bob",
        directPorts: [],
        keys: [
          {
            type: "ecdsa-sha2-nistp384",
            fingerprint: c.fingerprint,
            comment: "",
            line: 3,
          },
        ],
      },
    ]);

    expect(await keys(file, ["remove", a.fingerprint])).toMatchObject({
      status: 0,
      out: `removed ${a.fingerprint} (ssh-ed25519)\n`,
    });
    expect(await keys(file, ["remove", "bob"])).toMatchObject({ status: 0 });
    expect(await keys(file, ["remove", "bob"])).toMatchObject({
      status: 7,
      err: expect.stringContaining("[identity-unknown]"),
    });
    expect(readFileSync(file, "utf8").trim().split("\n")).toHaveLength(1);
  });

  it("go out of what sshd reads, too, with or without an edge that runs", async () => {
    const file = usersFile();
    const [a, b] = [useKey(), useKey()];
    await keys(file, ["add", "alice", a.publicText]);
    await keys(file, ["add", "bob", b.publicText]);
    const sshd = `${file}.sshd`;
    const line = (text: string, id: string): string =>
      `${text.split(" ").slice(0, 2).join(" ")} ${id}.sock -\n`;
    const [forAlice, forBob] = [
      line(a.publicText, "alice"),
      line(b.publicText, "bob"),
    ];
    writeFileSync(sshd, `# from the edge\n${forAlice}${forBob}`);
    expect(
      await keys(file, [
        ...["remove", "alice", "--ingress-openssh-keys-file", sshd],
      ]),
    ).toMatchObject({ status: 0 });
    expect(readFileSync(sshd, "utf8")).toBe(`# from the edge\n${forBob}`);
    expect(statSync(sshd).mode & 0o777).toBe(0o644);
  });

  it("are added only once", async () => {
    const file = usersFile();
    const key = useKey();
    await keys(file, ["add", "alice", key.publicText]);
    expect(await keys(file, ["add", "alice", key.publicText])).toMatchObject({
      status: 0,
      out: `${key.fingerprint} (ssh-ed25519) was there already for alice\n`,
    });
    expect(await keys(file, ["add", "bob", key.publicText])).toMatchObject({
      status: 6,
      err: expect.stringContaining("belongs to alice"),
    });
  });

  it("may come several at once, as a code host lists them", async () => {
    const file = usersFile();
    const several = [useKey(), useKey()]
      .map(({ publicText }) => publicText)
      .join("\n");
    expect(
      (await keys(file, ["add", "alice", "-"], several)).out.split("\n"),
    ).toHaveLength(3);
  });

  it.each<[string, (key: ReturnType<typeof useKey>) => string, string]>([
    ["a private key's file", ({ file }) => file, "is a PRIVATE key"],
    [
      "a private key as text",
      ({ privateText }) => privateText,
      "is a PRIVATE key",
    ],
    [
      "a file that is no key",
      ({ file }) => file.replace(/key$/, "other"),
      "there is no public key",
    ],
    [
      "a path that is not there",
      () => "/nowhere/key.pub",
      "neither a public key nor a file",
    ],
    ["a folder", ({ file }) => file.replace(/\/key$/, ""), "EISDIR"],
    ["half a key", ({ publicText }) => publicText.slice(0, -20), "not whole"],
    [
      "a key with options",
      ({ publicText }) => `names="a" ${publicText}\n`,
      "options are given as --names",
    ],
    ["nothing", () => "\n", "There is no key"],
  ])("are refused when given %s", async (_, give, message) => {
    const file = usersFile();
    const key = useKey();
    writeFileSync(key.file.replace(/key$/, "other"), "hello\n");
    const result = await keys(file, ["add", "alice", give(key)]);
    expect(result).toMatchObject({
      status: 6,
      out: "",
      err: expect.stringContaining(message),
    });
    for (const secret of key.privateText.split("\n").slice(1, -2))
      expect(result.err).not.toContain(secret.slice(0, 20));
  });

  it.each([
    [["--names", "Shop"], 'try "shop"'],
    [["--max-tunnels", "many"], "a whole number"],
    [["--direct-ports", "80"], "does not allow"],
    [["--names", 'a",max-tunnels="x'], "a whole number"],
  ])("are refused with %j", async (flags, message) => {
    expect(
      await keys(usersFile(), ["add", "alice", useKey().publicText, ...flags]),
    ).toMatchObject({
      status: 2,
      err: expect.stringContaining(message),
    });
  });

  it("are refused for an identity that cannot be", async () => {
    expect(
      await keys(usersFile(), ["add", "../etc", useKey().publicText]),
    ).toMatchObject({
      status: 2,
      err: expect.stringContaining("[usage-invalid]"),
    });
  });

  it("are nobody's in a file that is not there", async () => {
    const file = usersFile();
    expect(await keys(file, ["list"])).toEqual({
      status: 0,
      out: "",
      err: `Nobody is in ${file}. Add somebody with \`expose-edge keys add NAME KEY\`.\n`,
    });
    expect(await keys(file, ["list", "--json"])).toMatchObject({ out: "[]\n" });
  });

  it("take the users file and its allowed ports from the configuration", async () => {
    const file = usersFile();
    const config = `${file}.yaml`;
    writeFileSync(
      config,
      `users: ${file}\ningress: { openssh: { direct-ports: 30000-30009 } }\n`,
    );
    const io = fakeIo("", { EXPOSE_EDGE_CONFIG: config });
    const add = ["keys", "add", "alice", useKey().publicText, "--direct-ports"];
    expect(await runCli([...add, "20000"], io)).toBe(2);
    expect(await runCli([...add, "30000"], io)).toBe(0);
    expect(readFileSync(file, "utf8")).toMatch(/^direct-ports="30000" /);
  });
});

const usersFile = (): string => join(useFolder(), "users");

async function keys(
  file: string,
  args: readonly string[],
  stdin = "",
): Promise<{ status: number; out: string; err: string }> {
  const io = fakeIo(stdin);
  const status = await runCli(["keys", ...args, "--users", file], io);
  const result = { status, out: io.out(), err: io.err() };
  // What goes with every removal is not worth repeating in each test.
  return {
    ...result,
    err: result.err.replace(/^A running edge ends .*\n$/, ""),
  };
}

const escape = (text: string): string => text.replace(/[+/]/g, "\\$&");
