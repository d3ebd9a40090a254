// `expose doctor` against servers that are right, wrong and away.
import { createServer } from "node:net";
import { once } from "node:events";
import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it, onTestFinished } from "vitest";
import { runExpose, useCliHome } from "../harness/cli.ts";
import { startPlainSshd } from "../harness/plain-sshd.ts";
import { hello, startUpstream } from "../harness/upstreams.ts";
import { describeIngress, startWorld, type World } from "../harness/worlds.ts";

interface Finding {
  name: string;
  status: string;
  detail: string;
  action?: string;
}

describeIngress("expose doctor", (ingress) => {
  let world: World;
  beforeAll(async () => {
    world = await startWorld(ingress);
  });
  afterAll(() => world.stop());

  const connection = (id = "alice"): string[] => [
    ...["--server", world.server],
    ...["--identity", world.identity(id)],
    "--accept-new-host-key",
  ];

  async function examine(args: string[], env = useCliHome().env) {
    const result = await runExpose(["doctor", ...args, "--json"], env);
    const { event, ok, checks } = JSON.parse(result.stdout) as {
      event: string;
      ok: boolean;
      checks: Finding[];
    };
    expect(event).toBe("doctor");
    const find = (name: string): Finding => {
      const found = checks.find((check) => check.name === name);
      if (!found) throw new Error(`No check "${name}" in ${result.stdout}`);
      return found;
    };
    return { result, ok, checks, find };
  }

  it("passes where all is well, and says what it found", async () => {
    const upstream = await startUpstream(hello);
    const { result, ok, checks, find } = await examine([
      `${upstream.port}`,
      "--subdomain",
      "checked",
      ...connection(),
    ]);
    expect(checks.filter(({ status }) => status === "FAIL")).toEqual([]);
    expect(ok).toBe(true);
    expect(result.code).toBe(0);
    expect(checks.map(({ name }) => name)).toEqual([
      ...["node", "crypto", "config", "server", "keys", "agent", "reach"],
      ...["ssh", "host key", "login", "edge", "name", "local"],
    ]);
    expect(find("edge").detail).toContain(
      `(${ingress}) serves ${world.urlOf("*")}; you are alice`,
    );
    expect(find("name").detail).toBe(`${world.urlOf("checked")} can be had`);
    expect(find("local").detail).toBe(`localhost:${upstream.port} answers`);
    expect(find("host key").detail).toMatch(/^SHA256:/);
  });

  it("shows people a table with what to do, and ends with status 1 when something failed", async () => {
    const result = await runExpose(
      ["doctor", "1", ...connection()],
      useCliHome().env,
    );
    expect(result.code).toBe(1);
    expect(result.stdout).toMatch(/^PASS {2}edge /m);
    expect(result.stdout).toMatch(
      /^FAIL {2}local +Nothing listens on localhost:1 .*\n +-> start the local service$/m,
    );
    expect(result.stdout).toMatch(/\n\n1 failed, .*\d+ passed\.\n$/);
    expect(result.stdout).not.toContain("\u001b");
  });

  it("says that a name is somebody else's", async () => {
    const tunnel = await world.expose({ port: 8080, name: "theirs" }, "bob");
    const { find, result } = await examine(["-s", "theirs", ...connection()]);
    await tunnel.close();
    expect(result.code).toBe(1);
    expect(find("edge").status).toBe("PASS");
    expect(find("name")).toMatchObject({
      status: "FAIL",
      action: "choose another --subdomain",
    });
  });

  it("tells a wrong key from a wrong server", async () => {
    const { env, home } = useCliHome();
    const key = join(home, "stranger");
    execFileSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", key]);
    const { find } = await examine(
      ["--server", world.server, "-i", key, "--accept-new-host-key"],
      env,
    );
    expect(find("reach").status).toBe("PASS");
    expect(find("ssh").status).toBe("PASS");
    expect(find("host key").status).toBe("PASS");
    expect(find("login").status).toBe("FAIL");
    expect(find("login").action).toContain("public key");
    expect(find("edge").status).toBe("SKIP");
  });

  it("tells an unknown host key from the rest", async () => {
    const { find } = await examine([
      ...["--server", world.server],
      ...["--identity", world.identity("alice")],
    ]);
    expect(find("ssh").status).toBe("PASS");
    expect(find("host key")).toMatchObject({ status: "FAIL" });
    expect(find("login").status).toBe("SKIP");
  });

  it("tells a server that is away from one that is no SSH server, and from one without an edge", async () => {
    const key = world.identity("alice");
    const away = await examine(["--server", "a@127.0.0.1:1", "-i", key]);
    expect(away.find("reach").status).toBe("FAIL");
    expect(away.find("ssh").status).toBe("SKIP");

    const web = await startUpstream(hello);
    const noSsh = await examine([
      "--server",
      `a@127.0.0.1:${web.port}`,
      "-i",
      key,
    ]);
    expect(noSsh.find("reach").status).toBe("PASS");
    expect(noSsh.find("ssh").status).toBe("FAIL");

    const sshd = await startPlainSshd();
    const noEdge = await examine(["--server", sshd.server], sshd.env);
    expect(noEdge.find("login").status).toBe("PASS");
    expect(noEdge.find("edge").status).toBe("FAIL");
    expect(noEdge.find("edge").action).toContain("--bare");
  });

  it("finds mistakes of the configuration file, and one that others can read", async () => {
    const { env, home } = useCliHome();
    const file = join(home, ".config/expose/config.yaml");
    mkdirSync(join(file, ".."), { recursive: true });
    writeFileSync(file, "servr: a@b\n");
    const broken = await examine([], env);
    expect(broken.find("config")).toMatchObject({
      status: "FAIL",
      detail: expect.stringContaining("is it server?"),
    });
    writeFileSync(file, "accept-new-host-key: true\n");
    chmodSync(file, 0o644);
    const open = await examine([], env);
    expect(open.find("config")).toMatchObject({
      status: "WARN",
      action: `chmod 600 ${file}`,
    });
    expect(open.find("server").action).toBe("expose login user@host");
  });

  it("counts and names the agent's keys that cannot be used", async () => {
    const socket = await startAgent(
      readFileSync(`${world.identity("alice")}.pub`, "utf8"),
    );
    const { env } = useCliHome();
    const { find } = await examine(connection(), {
      ...env,
      SSH_AUTH_SOCK: socket,
    });
    // --identity chooses one key; what the agent holds is looked at all the same.
    expect(find("agent")).toMatchObject({ status: "WARN" });
    expect(find("agent").detail).toMatch(
      /^2 keys, 1 usable\. yubikey \(sk-ssh-ed25519@openssh\.com\): security keys/,
    );
  });

  it("never shows a private key", async () => {
    const { result } = await examine(connection());
    const secret = readFileSync(world.identity("alice"), "utf8").split(
      "\n",
    )[2]!;
    expect(result.stdout + result.stderr).not.toContain(secret);
  });
});

/** An agent that holds one good key and one security key: what ssh-agent says when it is asked for its list. */
async function startAgent(publicKey: string): Promise<string> {
  const { home } = useCliHome();
  const socketPath = join(home, "agent");
  const text = (value: string | Buffer): Buffer => {
    const bytes = Buffer.from(value);
    const length = Buffer.alloc(4);
    length.writeUInt32BE(bytes.length);
    return Buffer.concat([length, bytes]);
  };
  const good = Buffer.from(publicKey.split(" ")[1]!, "base64");
  const security = Buffer.concat([
    text("sk-ssh-ed25519@openssh.com"),
    text(Buffer.alloc(32, 7)),
    text("ssh:"),
  ]);
  const answer = text(
    Buffer.concat([
      Buffer.of(12, 0, 0, 0, 2),
      ...[text(good), text("alice")],
      ...[text(security), text("yubikey")],
    ]),
  );
  const server = createServer((socket) => {
    socket.on("error", () => {});
    socket.on("data", () => socket.write(answer));
  });
  server.listen(socketPath);
  await once(server, "listening");
  onTestFinished(() => void server.close());
  return socketPath;
}
