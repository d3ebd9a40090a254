// one ingress only: what is wrong before a session is up does not depend on how sessions reach the edge
// Bad input to `expose`: each gives one clear message with a code and the next step, and its own exit status.
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { once } from "node:events";
import { createServer, type AddressInfo } from "node:net";
import { join } from "node:path";
import {
  afterAll,
  beforeAll,
  describe,
  expect,
  onTestFinished,
  test,
} from "vitest";
import {
  eventsOf,
  runExpose,
  startExpose,
  useCliHome,
} from "../harness/cli.ts";
import { startPlainSshd } from "../harness/plain-sshd.ts";
import { hello, startUpstream } from "../harness/upstreams.ts";
import { startWorld, type World } from "../harness/worlds.ts";

/** Runs a command that fails, and holds it to the form that every failure has. */
async function fail(
  args: string[],
  {
    env,
    code,
    exit,
  }: { env?: Record<string, string>; code: string; exit: number },
): Promise<string> {
  const result = await runExpose(args, env ?? useCliHome().env);
  expect(result.stderr).toMatch(/^expose: \S/);
  expect(result.stderr).toContain(` [${code}]\n`);
  expect(result.stderr).not.toMatch(/^ +at .*:\d+/m);
  expect(result.code).toBe(exit);
  expect(result.stdout).toBe("");
  return result.stderr;
}

// A server that nobody may reach: whoever gets as far as it fails with another status.
const unasked = ["--server", "nobody@127.0.0.1:1"];

describe("is refused before a server is asked:", () => {
  test.each([
    "0",
    "65536",
    "99999999",
    "80a80",
    "localhost:0",
    "localhost:http",
    "http://localhost:1/path",
    "ftp://a",
  ])("%s, which is no local address", async (target) => {
    const message = await fail([target, ...unasked], {
      code: "upstream-invalid",
      exit: 2,
    });
    expect(message).toContain(`"${target}"`);
  });

  test.each([
    ["Shop", 'try "shop"'],
    ["my.shop", "without dots"],
    ["xn--bcher-kva", "punycode"],
    ["a".repeat(64), "at most 63 characters"],
    ["shop_1", "letters a to z"],
  ])("the name %s", async (name, advice) => {
    const message = await fail(["8080", "-s", name, ...unasked], {
      code: "name-refused",
      exit: 14,
    });
    expect(message).toContain(advice);
  });

  test("a command that does not exist, with the nearest one", async () => {
    const message = await fail(["strat", "web"], {
      code: "usage-invalid",
      exit: 2,
    });
    expect(message).toContain("Did you mean `expose start`?");
  });

  test("an option that does not exist, with the nearest one", async () => {
    const message = await fail(["8080", "--sub-domain", "x"], {
      code: "usage-invalid",
      exit: 2,
    });
    expect(message).toContain("Did you mean --subdomain?");
  });

  test("a folder that does not exist", async () => {
    const message = await fail(["./no-such-folder", ...unasked], {
      code: "upstream-invalid",
      exit: 2,
    });
    expect(message).toContain("no-such-folder");
  });

  test("authorities that are none", async () => {
    await fail(
      ["https://localhost:8443", "--upstream-ca", "/dev/null", ...unasked],
      {
        code: "upstream-invalid",
        exit: 2,
      },
    );
  });

  test("a server that is none", async () => {
    await fail(["8080", "--server", "alice@host:port"], {
      code: "usage-invalid",
      exit: 2,
    });
  });

  test("nothing, without any server: it says which command to run", async () => {
    const message = await fail(["8080"], { code: "server-missing", exit: 4 });
    expect(message).toContain("`expose login user@host`");
  });

  test("a configuration file with five mistakes, all of which are listed with their lines", async () => {
    const { env, home } = useCliHome();
    const file = join(home, "expose.yaml");
    writeFileSync(
      file,
      `servr: a@b
accept-new-host-key: perhaps
tunnels:
  web: { upstream: 99999 }
  api: { name: API, upstream: 3000 }
  old: {}
`,
    );
    const message = await fail(["8080", "--config", file], {
      env,
      code: "config-invalid",
      exit: 3,
    });
    expect(message).toContain("5 mistakes");
    for (const line of [1, 2, 4, 5, 6])
      expect(message).toContain(`${file}:${line}: `);
  });

  test("a configuration file that does not exist, and one that is no YAML", async () => {
    const { env, home } = useCliHome();
    await fail(["8080", "--config", join(home, "no.yaml")], {
      env,
      code: "config-unreadable",
      exit: 3,
    });
    writeFileSync(join(home, "bad.yaml"), "server: [\n");
    await fail(["8080"], {
      env: { ...env, EXPOSE_CONFIG: join(home, "bad.yaml") },
      code: "config-unreadable",
      exit: 3,
    });
  });

  test("a key file that is missing, and one that is no key", async () => {
    const { env, home } = useCliHome();
    const message = await fail(
      ["8080", "-i", join(home, "no-key"), ...unasked],
      {
        env,
        code: "key-missing",
        exit: 13,
      },
    );
    expect(message).toContain("ssh-keygen");
    const file = join(home, "shopping-list");
    writeFileSync(file, "milk, bread\n", { mode: 0o600 });
    await fail(["8080", "-i", file, ...unasked], {
      env,
      code: "key-invalid",
      exit: 13,
    });
  });
});

describe("a server that", () => {
  let world: World;
  beforeAll(async () => {
    world = await startWorld("embedded");
  });
  afterAll(() => world.stop());
  const key = () => ["-i", world.identity("alice")];

  test("cannot be reached", async () => {
    const message = await fail(
      ["8080", "--server", "a@127.0.0.1:1", ...key()],
      {
        code: "server-unreachable",
        exit: 5,
      },
    );
    expect(message).toContain("127.0.0.1:1");
  });

  test("has a name that does not exist", async () => {
    await fail(["8080", "--server", "a@no-such-host.invalid", ...key()], {
      code: "server-unreachable",
      exit: 5,
    });
  });

  test("speaks HTTP", async () => {
    const web = await startUpstream(hello);
    await fail(["8080", "--server", `a@127.0.0.1:${web.port}`, ...key()], {
      code: "server-not-ssh",
      exit: 6,
    });
  });

  test("has no edge behind it: it names the way without one", async () => {
    const sshd = await startPlainSshd();
    const message = await fail(["8080", "--server", sshd.server], {
      env: sshd.env,
      code: "server-not-edge",
      exit: 7,
    });
    expect(message).toContain("--bare");
  });

  test("speaks another version of the protocol", async () => {
    const refusal = JSON.stringify({
      t: "refused",
      code: "version-unsupported",
      message: "This edge speaks version 7 of the control protocol.",
    });
    const sshd = await startPlainSshd([
      `ForceCommand sh -c 'read -r hello; echo "$0"; sleep 5' '${refusal}'`,
    ]);
    const message = await fail(["8080", "--server", sshd.server], {
      env: sshd.env,
      code: "version-unsupported",
      exit: 17,
    });
    expect(message).toContain("version 7");
  });

  test("was never seen, when nobody can be asked", async () => {
    const message = await fail(["8080", "--server", world.server, ...key()], {
      code: "host-key-unknown",
      exit: 10,
    });
    expect(message).toContain("SHA256:");
  });

  test("shows another host key than before, which no flag lets pass", async () => {
    const { env, home } = useCliHome();
    mkdirSync(join(home, ".ssh"), { mode: 0o700 });
    execFileSync("ssh-keygen", [
      "-q",
      "-t",
      "ed25519",
      "-N",
      "",
      "-f",
      join(home, "other"),
    ]);
    const [type, blob] = readFileSync(join(home, "other.pub"), "utf8").split(
      " ",
    );
    const port = world.server.split(":")[1];
    writeFileSync(
      join(home, ".ssh/known_hosts"),
      `[127.0.0.1]:${port} ${type} ${blob}\n`,
    );
    const message = await fail(
      ["8080", "--server", world.server, "--accept-new-host-key", ...key()],
      { env, code: "host-key-changed", exit: 11 },
    );
    expect(message).toContain("ssh-keygen -R");
  });

  test("does not know the key", async () => {
    const { env, home } = useCliHome();
    const file = join(home, "stranger");
    execFileSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", file]);
    await fail(
      ["8080", "--server", world.server, "--accept-new-host-key", "-i", file],
      {
        env,
        code: "auth-failed",
        exit: 12,
      },
    );
  });

  test("is given no key at all", async () => {
    const message = await fail(["8080", "--server", world.server], {
      code: "key-missing",
      exit: 13,
    });
    expect(message).toContain("ssh-keygen -t ed25519");
  });
});

test("with --json each failure is an event too, also that of a command line", async () => {
  const result = await runExpose(
    ["8080", "--nonsense", "--json"],
    useCliHome().env,
  );
  expect(result.code).toBe(2);
  expect(eventsOf(result)).toEqual([
    expect.objectContaining({ event: "error", code: "usage-invalid", exit: 2 }),
  ]);
  expect(result.stderr).toContain("[usage-invalid]");
});

test("EXPOSE_DEBUG shows where an error comes from", async () => {
  const { env } = useCliHome();
  const result = await runExpose(["99999", ...unasked], {
    ...env,
    EXPOSE_DEBUG: "1",
  });
  expect(result.stderr).toMatch(/^ +at /m);
});

test("help goes to stdout with status 0, and to stderr when nothing was asked for", async () => {
  const { env } = useCliHome();
  const help = await runExpose(["--help"], env);
  expect(help).toMatchObject({ code: 0, stderr: "" });
  expect(help.stdout).toContain("Usage: expose <target|command> [options]");
  const nothing = await runExpose([], env);
  expect(nothing).toEqual({ code: 2, stdout: "", stderr: help.stdout });
});

test("--version and --help load nothing that they do not need", async () => {
  const { env, home } = useCliHome();
  const probe = join(home, "probe.cjs");
  writeFileSync(
    probe,
    `process.on("exit", () => require("node:fs").writeSync(2, process.moduleLoadList.join("\\n")));`,
  );
  for (const flag of ["--version", "--help"]) {
    const result = await runExpose([flag], {
      ...env,
      NODE_OPTIONS: `--require=${probe}`,
    });
    expect(result.code).toBe(0);
    // ssh2 and our own SSH code cannot be loaded without these.
    for (const name of ["crypto", "tls", "dns"])
      expect(result.stderr.split("\n")).not.toContain(`NativeModule ${name}`);
  }
});

test("Ctrl-C before there is a tunnel ends at once, with a status that is no success", async () => {
  const silent = createServer((socket) => socket.on("error", () => {}));
  silent.listen(0, "127.0.0.1");
  const connected = once(silent, "connection");
  await once(silent, "listening");
  onTestFinished(() => void silent.close());
  const { port } = silent.address() as AddressInfo;
  const sshd = await startPlainSshd();
  const expose = startExpose(
    ["8080", "--server", `nobody@127.0.0.1:${port}`],
    sshd.env,
  );
  await connected;
  const start = performance.now();
  expose.kill("SIGINT");
  expect(await expose.exited).toEqual({ code: 130, signal: null });
  expect(performance.now() - start).toBeLessThan(1_000);
  expect(expose.stdout + expose.stderr).toBe("");
});
