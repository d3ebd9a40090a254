// `expose login` and what it makes of a new machine: host key, keys, passphrases, the configuration file.
import { execFileSync } from "node:child_process";
import {
  copyFileSync,
  mkdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import {
  CLI,
  eventsOf,
  runExpose,
  startExpose,
  useCliHome,
} from "../harness/cli.ts";
import { startTerminal } from "../harness/terminal.ts";
import { describeIngress, startWorld, type World } from "../harness/worlds.ts";

describeIngress("expose login", (ingress) => {
  let world: World;
  beforeAll(async () => {
    world = await startWorld(ingress);
  });
  afterAll(() => world.stop());

  /** A home with alice's key where ssh would look for it. */
  function useAlice() {
    const cli = useCliHome();
    mkdirSync(join(cli.home, ".ssh"), { mode: 0o700 });
    const key = join(cli.home, ".ssh/id_ed25519");
    copyFileSync(world.identity("alice"), key);
    copyFileSync(`${world.identity("alice")}.pub`, `${key}.pub`);
    return {
      ...cli,
      key,
      config: join(cli.home, ".config/expose/config.yaml"),
    };
  }

  it("says what it found, and makes the server the default", async () => {
    const { env, home, config } = useAlice();
    const login = await runExpose(
      ["login", world.server, "--accept-new-host-key"],
      env,
    );
    expect(login.code).toBe(0);
    expect(login.stdout).toMatch(/^Host key +SHA256:\S+ \(pinned\)$/m);
    expect(login.stdout).toMatch(
      /^Your key +~\/\.ssh\/id_ed25519 \(SHA256:\S+\)$/m,
    );
    expect(login.stdout).toMatch(/^You are +alice$/m);
    expect(login.stdout).toContain(world.urlOf("*"));
    expect(login.stdout).toContain(`Written to  ${config}`);
    expect(readFileSync(config, "utf8")).toBe(`server: ${world.server}\n`);
    expect(statSync(config).mode & 0o777).toBe(0o600);
    expect(statSync(join(home, ".config/expose")).mode & 0o777).toBe(0o700);

    const expose = startExpose(["8080", "-s", "after-login"], env);
    await expose.waitFor(/through/);
    await expose.waitFor(/^http:.*\n/);
    expect(expose.stdout).toBe(`${world.urlOf("after-login")}\n`);
  });

  it("gives the same as one JSON event", async () => {
    const { env, config } = useAlice();
    const login = await runExpose(
      ["login", world.server, "--accept-new-host-key", "--json"],
      env,
    );
    expect(eventsOf(login)).toEqual([
      expect.objectContaining({
        event: "login",
        server: world.server,
        hostKey: expect.stringMatching(/^SHA256:/),
        key: expect.objectContaining({ source: "file" }),
        identity: "alice",
        ingress,
        url: world.urlOf("*"),
        config,
      }),
    ]);
  });

  it("leaves the rest of the file alone, and takes another server's keys out", async () => {
    const { env, config, key } = useAlice();
    mkdirSync(join(config, ".."), { recursive: true });
    writeFileSync(
      config,
      "# mine\nserver: old@elsewhere.example\nidentity: /nonexistent\ntunnels:\n  web: { upstream: 3000 }\n",
    );
    await runExpose(["login", world.server, "--accept-new-host-key"], env);
    expect(readFileSync(config, "utf8")).toBe(
      `# mine\nserver: ${world.server}\ntunnels:\n  web: { upstream: 3000 }\n`,
    );
    await runExpose(["login", world.server, "-i", key], env);
    expect(readFileSync(config, "utf8")).toContain(`identity: ${key}\n`);
  });

  it("refuses an unknown host key when nobody can be asked, and says how it is trusted", async () => {
    const { env, config } = useAlice();
    const login = await runExpose(["login", world.server], env);
    expect(login.code).toBe(10);
    expect(login.stderr).toMatch(
      /SHA256:.*--accept-new-host-key.*\[host-key-unknown\]/,
    );
    expect(() => statSync(config)).toThrow("ENOENT");
  });

  it("asks in a terminal with the fingerprint, and takes only yes for yes", async () => {
    const { env, home } = useAlice();
    const terminal = await startTerminal({ env, columns: 120 });
    const command = `clear; ${process.execPath} ${CLI} login ${world.server}; echo status $?`;
    await terminal.type(command, "Enter");
    await terminal.waitFor(/SHA256:[^]*Trust it and remember it\? \[y\/N\]/);
    await terminal.type("Enter");
    await terminal.waitFor(/\[host-key-unknown\][^]*status 10/);
    await terminal.type(command, "Enter");
    // Not the question of the run before, which stands there until the screen is cleared.
    await terminal.waitFor(/(?<![^])(?![^]*status 10)[^]*\[y\/N\]/);
    await terminal.type("C-c");
    const interrupted = await terminal.waitFor(/status 130/);
    expect(interrupted).not.toContain("expose: ");
    await terminal.type(command, "Enter");
    await terminal.waitFor(/(?<![^])(?![^]*status 130)[^]*\[y\/N\]/);
    await terminal.type("yes", "Enter");
    await terminal.waitFor(/You are +alice[^]*status 0/);
    expect(
      readFileSync(join(home, ".config/expose/known_hosts"), "utf8"),
    ).toContain("ssh-ed25519");
  });

  it("asks for the passphrase of a locked key, which is never shown", async () => {
    const { env, key } = useAlice();
    const passphrase = "correct horse";
    execFileSync("ssh-keygen", [
      "-q",
      "-p",
      "-N",
      passphrase,
      "-P",
      "",
      "-f",
      key,
    ]);
    const terminal = await startTerminal({ env, columns: 120 });
    await terminal.type(
      `clear; ${process.execPath} ${CLI} login ${world.server} --accept-new-host-key; echo status $?`,
      "Enter",
    );
    await terminal.waitFor(/Passphrase for ~\/\.ssh\/id_ed25519:/);
    await terminal.type("wrong", "Enter");
    await terminal.waitFor(/Wrong passphrase[^]*Passphrase for/);
    await terminal.type("correct horse", "Enter");
    const screen = await terminal.waitFor(/You are +alice[^]*status 0/);
    expect(screen).not.toContain(passphrase);
    expect(screen).not.toMatch(/: *wrong/);
  });

  it("gives a locked key up with a status of its own when nobody can be asked", async () => {
    const { env, key } = useAlice();
    execFileSync("ssh-keygen", [
      "-q",
      "-p",
      "-N",
      "secret",
      "-P",
      "",
      "-f",
      key,
    ]);
    const login = await runExpose(
      ["login", world.server, "--accept-new-host-key"],
      env,
    );
    expect(login.code).toBe(13);
    expect(login.stderr).toMatch(/ssh-add.*\[key-invalid\]/);
  });
});
