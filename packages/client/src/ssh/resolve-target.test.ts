import { execFileSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { createSandbox } from "./testing/sandbox.ts";

const sandbox = createSandbox();
afterAll(() => sandbox.dispose());

const configFile = (text: string): string =>
  sandbox.write(sandbox.unique("config"), text);
const resolve = (server: string, config: string, options = {}) =>
  sandbox.target(server, { sshConfig: configFile(config), ...options });

describe("a target without ssh_config", () => {
  it("has ssh's defaults: the local user, port 22, ssh's key files", async () => {
    const target = await resolve("vps.example.com", "");
    expect(target).toMatchObject({
      host: "vps.example.com",
      port: 22,
      user: sandbox.username,
      label: "vps.example.com",
      identitySource: "default",
      unknownHostKey: "ask",
      unsupported: [],
    });
    expect(target.identityFiles).toEqual(
      ["id_ed25519", "id_ecdsa", "id_rsa"].map((name) =>
        join(sandbox.home, ".ssh", name),
      ),
    );
  });

  it("reads our known_hosts first, then ssh's own", async () => {
    const target = await resolve("vps", "", {
      knownHosts: undefined,
      env: { XDG_CONFIG_HOME: "/xdg" },
    });
    expect(target.knownHostsFiles).toEqual([
      "/xdg/expose/known_hosts",
      join(sandbox.home, ".ssh/known_hosts"),
      join(sandbox.home, ".ssh/known_hosts2"),
      "/etc/ssh/ssh_known_hosts",
      "/etc/ssh/ssh_known_hosts2",
    ]);
  });

  it("offers nothing but the keys that the caller names", async () => {
    const target = await resolve("vps", "IdentityFile ~/.ssh/other", {
      identity: ["/keys/a", "~/b"],
    });
    expect(target.identitySource).toBe("explicit");
    expect(target.identityFiles).toEqual(["/keys/a", join(sandbox.home, "b")]);
  });
});

// Everything that ssh resolves the same way is compared with ssh itself.
describe("what ssh_config says", () => {
  const config = `
# Comments, odd spacing and both ways to assign
Host one one.*
  HostName = one.example.com
  Port=2201
  User first
Host one
  User second
  Port 2202
Host FOO
  User upper
Host foo
  User lower
Host *.net !bad.net
  User net
Host a?c
  Port 77
Match host one.example.com
  StrictHostKeyChecking yes
Match originalhost two user root,first
  Port 2203
Match !host two,three* localuser nobody
  Port 2204
Match user second
  Port 2205
Match originalhost three
  HostName %h.example.org
Match host three.example.org
  User third
Host quoted
  User "quoted user" # and a comment
Host final
  HostName final.example.com
Match final host final.example.com
  Port 2299
Host jump1
  ProxyJump bastion:2022,user@inner
Host jump2
  ProxyJump none
  ProxyCommand nc %h %p
Match all
  AddressFamily inet
`;
  const hosts =
    "one one.x two three four FOO foo good.net bad.net abc ac quoted final jump1 jump2".split(
      " ",
    );

  it.each(hosts)("is what ssh -G says of %s", async (host) => {
    const path = configFile(config);
    const shown = sshG(path, host);
    const target = await sandbox.target(host, { sshConfig: path });
    expect({
      hostname: target.host,
      port: String(target.port),
      user: target.user,
      stricthostkeychecking: { ask: "ask", refuse: "true", accept: "x" }[
        target.unknownHostKey
      ],
      addressfamily: target.family === 4 ? "inet" : "any",
    }).toEqual({
      hostname: shown.get("hostname"),
      port: shown.get("port"),
      user: shown.get("user"),
      stricthostkeychecking: shown.get("stricthostkeychecking"),
      addressfamily: shown.get("addressfamily"),
    });
  });

  it("yields to what was typed", async () => {
    const text = "Host vps\n  User conf\n  Port 2222\n";
    expect(await resolve("me@vps:99", text)).toMatchObject({
      user: "me",
      port: 99,
    });
  });

  it("is read from the user's file first and then from the system's", async () => {
    const systemConfig = configFile(
      "Host *\n  Port 1\n  User sys\n  Ciphers +x\n",
    );
    sandbox.write(join(sandbox.home, ".ssh/config"), "Port 2\nCiphers +y\n");
    const { resolveTarget } = await import("./resolve-target.ts");
    const options = { home: sandbox.home, env: {}, systemConfig };
    const both = await resolveTarget("vps", options);
    expect(both).toMatchObject({ port: 2, user: "sys" });
    // The one that does not count is not complained about.
    expect(both.unsupported).toEqual([
      expect.stringContaining(`Ciphers in ${sandbox.home}`),
    ]);
    const none = await resolveTarget("vps", { ...options, sshConfig: "none" });
    expect(none).toMatchObject({ port: 22, user: sandbox.username });
    sandbox.write(join(sandbox.home, ".ssh/config"), "");
  });

  it("follows Include with wildcards, inside of sections too", async () => {
    mkdirSync(join(sandbox.home, ".ssh/conf.d"));
    sandbox.write(
      join(sandbox.home, ".ssh/conf.d/a.conf"),
      "Host a\n User included\n",
    );
    sandbox.write(join(sandbox.home, ".ssh/conf.d/b.conf"), "Port 2222\n");
    sandbox.write(join(sandbox.home, ".ssh/conf.d/.hidden.conf"), "Port 1\n");
    sandbox.write(join(sandbox.home, ".ssh/conf.d/ignored"), "Port 1\n");
    const text =
      "Host a\n  Include conf.d/*.conf\n  Include ~/.ssh/no-such-file\n";
    expect(await resolve("a", text)).toMatchObject({
      user: "included",
      port: 2222,
    });
    expect(await resolve("b", text)).toMatchObject({ port: 22 });
  });

  it("stops at an Include that includes itself", async () => {
    const path = sandbox.unique("loop");
    sandbox.write(path, `Include ${path}\n`);
    await expect(
      sandbox.target("vps", { sshConfig: path }),
    ).rejects.toMatchObject({
      code: "config-unreadable",
      message: expect.stringContaining("nested too deeply"),
    });
  });

  it("expands tokens, variables and ~ in paths", async () => {
    const target = await resolve(
      "me@alias",
      "HostName vps\nPort 2222\nIdentityFile ~/.ssh/%r@%h:%p_%n_%%_${KEY}\nIdentityAgent %d/agent.sock\nUserKnownHostsFile ~/known_%k none\nGlobalKnownHostsFile /dev/null\nHostKeyAlias Pinned\n",
      { env: { KEY: "x" }, knownHosts: undefined },
    );
    expect(target.identityFiles).toEqual([
      join(sandbox.home, ".ssh/me@vps:2222_alias_%_x"),
    ]);
    expect(target.agentSocket).toBe(join(sandbox.home, "agent.sock"));
    expect(target.knownHostsFiles.slice(1)).toEqual([
      join(sandbox.home, "known_Pinned"),
      "/dev/null",
    ]);
    expect(target.hostKeyName).toEqual({ host: "pinned", port: 22 });
  });

  it("chooses the agent", async () => {
    const env = { SSH_AUTH_SOCK: "/run/one", OTHER: "/run/two" };
    const agentOf = async (config: string) =>
      (await resolve("vps", config, { env })).agentSocket;
    expect(await agentOf("")).toBe("/run/one");
    expect(await agentOf("IdentityAgent $OTHER")).toBe("/run/two");
    expect(await agentOf("IdentityAgent SSH_AUTH_SOCK")).toBe("/run/one");
    expect(await agentOf("IdentityAgent none")).toBeUndefined();
    expect((await resolve("vps", "")).agentSocket).toBeUndefined();
  });

  it("never lets a changed key in, whatever StrictHostKeyChecking says", async () => {
    const policyOf = async (value: string) =>
      (await resolve("vps", `StrictHostKeyChecking ${value}`)).unknownHostKey;
    expect(await policyOf("no")).toBe("accept");
    expect(await policyOf("accept-new")).toBe("accept");
    expect(await policyOf("yes")).toBe("refuse");
    expect(await policyOf("ask")).toBe("ask");
  });

  it("runs no command of Match exec, and says that the section is left out", async () => {
    const trap = sandbox.unique("trap");
    const target = await resolve(
      "vps",
      `Match exec "touch ${trap}"\n  Port 1\nMatch all\n  Port 2\n`,
    );
    expect(target.port).toBe(2);
    expect(target.unsupported.join()).toMatch(
      /"Match exec" in .* is not supported/,
    );
    const { existsSync } = await import("node:fs");
    expect(existsSync(trap)).toBe(false);
    const other = await resolve(
      "vps",
      `Match exec "touch ${trap}" host other\n  Port 1\n`,
    );
    expect(other.unsupported).toEqual([]);
  });

  it("names wildcards of Include that are not known", async () => {
    const { unsupported } = await resolve("vps", "Include ~/.ssh/[ab].conf\n");
    expect(unsupported.join()).toMatch(/"Include ~\/\.ssh\/\[ab\]\.conf" in/);
  });

  it("names what it does not follow, where it applies", async () => {
    const text =
      "Host vps\n  ProxyCommand ssh -W %h:%p bastion\n  CertificateFile ~/.ssh/c-cert.pub\n  PKCS11Provider /lib/p.so\n  Ciphers 3des-cbc\n  Ciphers aes128-cbc\n  Compression yes\n  PubkeyAuthentication no\nHost other\n  RevokedHostKeys /x\n";
    const { unsupported } = await resolve("vps", text);
    expect(unsupported.map((sentence) => sentence.split(" ")[0])).toEqual([
      "ProxyCommand",
      "CertificateFile",
      "PKCS11Provider",
      "Ciphers",
      "PubkeyAuthentication",
    ]);
    expect(unsupported[0]).toContain('write "ProxyJump HOST"');
    const other = await resolve("other", text);
    expect(other.unsupported).toHaveLength(1);
    expect((await resolve("third", text)).unsupported).toEqual([]);
  });

  it.each([
    ["Port many\n", "config-invalid", '"many" is no port'],
    ["IdentityFile ~/%Q\n", "config-invalid", "the token %Q is not known"],
    [
      "IdentityFile ~/${NOPE}\n",
      "config-invalid",
      "the environment has no NOPE",
    ],
    ["IdentityFile ~root/key\n", "config-invalid", "another user's home"],
    [
      'Host a\n  IdentityFile "x\n',
      "config-unreadable",
      "Unexpected line break",
    ],
    ["Port\nUser x\n", "config-unreadable", '"Port" has no value'],
    [
      "ProxyJump a b\n",
      "config-invalid",
      'ProxyJump of "vps": The server "a b" cannot',
    ],
  ])(
    "is refused with its place when it is wrong: %j",
    async (config, code, text) => {
      await expect(resolve("vps", config)).rejects.toMatchObject({
        code,
        message: expect.stringContaining(text),
      });
    },
  );

  it("must be there when it was named", async () => {
    await expect(
      sandbox.target("vps", { sshConfig: "/no/such/file" }),
    ).rejects.toMatchObject({
      code: "config-unreadable",
      message: expect.stringContaining("/no/such/file"),
    });
  });
});

describe("jump hosts", () => {
  const config = `
Host inner
  HostName 10.0.0.1
  ProxyJump bastion
Host bastion
  HostName bastion.example.com
  User jumper
  Port 2222
  IdentityFile ~/.ssh/jump_key
Host far
  ProxyJump bastion,me@10.0.0.9:23
`;

  it("are resolved like any target, with keys of their own", async () => {
    const target = await resolve("inner", config, { identity: "/keys/mine" });
    expect(target.host).toBe("10.0.0.1");
    expect(target.identityFiles).toEqual(["/keys/mine"]);
    expect(target.jump).toMatchObject({
      host: "bastion.example.com",
      user: "jumper",
      port: 2222,
      identityFiles: [join(sandbox.home, ".ssh/jump_key")],
      jump: undefined,
    });
  });

  it("form a chain, the first one dialled first", async () => {
    const { jump } = await resolve("far", config);
    expect(jump).toMatchObject({ host: "10.0.0.9", user: "me", port: 23 });
    expect(jump?.jump).toMatchObject({ host: "bastion.example.com" });
    expect(jump?.jump?.jump).toBeUndefined();
  });

  it("that lead back to themselves are refused with the way out", async () => {
    await expect(
      resolve("vps", "Host *\n  ProxyJump bastion\n"),
    ).rejects.toMatchObject({
      code: "config-invalid",
      message: expect.stringMatching(/circles.*bastion.*!bastion/),
    });
  });

  it("lose to a ProxyCommand that stands before them, as in ssh", async () => {
    const target = await resolve(
      "vps",
      "ProxyCommand nc %h %p\nProxyJump bastion\n",
    );
    expect(target.jump).toBeUndefined();
    expect(target.unsupported).toHaveLength(1);
  });
});

function sshG(config: string, host: string): Map<string, string> {
  const output = execFileSync("ssh", ["-G", "-F", config, host], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "ignore"],
  });
  return new Map(
    output
      .split("\n")
      .map((line) => line.split(" "))
      .map(([name = "", ...rest]) => [name, rest.join(" ")]),
  );
}
