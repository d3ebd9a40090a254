import { PRODUCT_VERSION } from "@expose/protocol";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { configJsonSchema } from "../config/json-schema.ts";
import { fields } from "../config/derive.ts";
import { fakeIo } from "./fake-io.fixture.ts";
import { runCli } from "./run.ts";

describe("a command line that asks for nothing that exists", () => {
  it.each([
    [[], "Which command?"],
    [["keys"], "Which command?"],
    [["serv"], "Did you mean serve?"],
    [
      ["serve", "--limits-conections", "5"],
      "Did you mean --limits-connections?",
    ],
    [["serve", "--domain"], "argument missing"],
    [["serve", "8080"], "too many arguments"],
    [["keys", "add", "alice"], "missing required argument 'key'"],
    [["keys", "drop"], "unknown command 'drop'"],
  ])("%j is refused with status 2 and one line", async (argv, message) => {
    const io = fakeIo();
    expect(await runCli(argv, io)).toBe(2);
    expect(io.err().toLowerCase()).toContain(message.toLowerCase());
    expect(io.err()).toMatch(
      /^expose-edge: [^\n]*`expose-edge --help`[^\n]* \[usage-invalid\]\n$/,
    );
    expect(io.out()).toBe("");
  });
});

describe("help and version", () => {
  it.each([[["--version"]], [["-V"]], [["version"]]])(
    "%j prints the version",
    async (argv) => {
      const io = fakeIo();
      expect(await runCli(argv, io)).toBe(0);
      expect(io.out()).toBe(`expose-edge ${PRODUCT_VERSION}\n`);
    },
  );

  it("lists the commands", async () => {
    const io = fakeIo();
    expect(await runCli(["--help"], io)).toBe(0);
    expect(io.out()).toMatchInlineSnapshot(`
      "Usage: expose-edge [options] [command]

      The server of expose: leads each subdomain to the tunnel that it belongs to.

      Options:
        -V, --version     print the version
        -h, --help        display help for command

      Commands:
        serve [options]   run an edge until SIGTERM or Ctrl-C
        check [options]   check configuration, users file and DNS, and serve nothing
        keys              say who may log in
        schema [options]  print the JSON schema of the configuration file
        version           print the version
      "
    `);
    expect(io.err()).toBe("");
  });

  it("has a flag with its default for each key, in serve and check", async () => {
    for (const command of ["serve", "check"]) {
      const io = fakeIo();
      await runCli([command, "--help"], io);
      for (const { flag, alias } of fields)
        for (const name of [flag, ...(alias ? [alias] : [])])
          expect(io.out()).toMatch(new RegExp(`^  --${name} [<[]`, "m"));
      expect(io.out()).toContain("(default: 127.0.0.1:7780; may be repeated)");
      expect(io.out()).not.toContain("preset");
    }
  });
});

describe("schema", () => {
  it("prints the JSON schema", async () => {
    const io = fakeIo();
    expect(await runCli(["schema"], io)).toBe(0);
    expect(JSON.parse(io.out())).toEqual(configJsonSchema());
  });

  it("prints the reference in Markdown", async () => {
    const io = fakeIo();
    expect(await runCli(["schema", "--markdown"], io)).toBe(0);
    expect(io.out()).toContain(
      "| `listen`<br>`--listen`<br>`EXPOSE_EDGE_LISTEN` |",
    );
  });
});

describe("check", () => {
  it("says that all is right, and what is not set up yet", async () => {
    const { config } = useConfig("domain: localhost\n");
    const io = fakeIo();
    expect(await runCli(["check", "--config", config], io)).toBe(0);
    expect(io.out()).toMatch(
      /^configuration: right\nusers file: nobody can log in \(.*users\); add somebody with `expose-edge keys add`\nDNS: localhost is found by visitors on this machine only/,
    );
  });

  it("reports all mistakes of file, environment and flags, with status 3", async () => {
    const { config } = useConfig("domian: x\nlimits: { connections: none }\n");
    const io = fakeIo("", { EXPOSE_EDGE_LISTEN: "here" });
    expect(
      await runCli(
        ["check", "--config", config, "--admin-allow-remote", "perhaps"],
        io,
      ),
    ).toBe(3);
    expect(io.err()).toMatch(
      /^expose-edge: The configuration has 4 mistakes; .*: \[config-invalid\]\n(?: {2}\S.*\n){4}$/,
    );
    for (const place of [
      `domian (${config}:1)`,
      `limits.connections (${config}:2)`,
      "listen (EXPOSE_EDGE_LISTEN)",
      "admin.allow-remote (--admin-allow-remote)",
    ])
      expect(io.err()).toContain(place);
  });

  it("takes the file from the environment", async () => {
    const { config } = useConfig("domian: x\n");
    const io = fakeIo("", { EXPOSE_EDGE_CONFIG: config });
    expect(await runCli(["check", "--no-dns"], io)).toBe(3);
  });

  it("says that the file is not there, with status 3", async () => {
    const io = fakeIo();
    expect(await runCli(["check", "--config", "/nowhere/edge.yaml"], io)).toBe(
      3,
    );
    expect(io.err()).toMatch(
      /cannot be read \(ENOENT\).* \[config-unreadable\]\n$/,
    );
  });

  it("reports the lines of a broken users file, with status 5", async () => {
    const { config, folder } = useConfig("users: users\n");
    writeFileSync(join(folder, "users"), "what\nis this\n");
    const io = fakeIo();
    expect(await runCli(["check", "--config", config], io)).toBe(5);
    expect(io.err()).toContain("2 mistakes");
    expect(io.err()).toContain(`${join(folder, "users")}:2: `);
  });

  it("understands flags for true and false with and without a value", async () => {
    for (const [flags, status] of [
      [["--admin-listen", "0.0.0.0:1"], 3],
      [["--admin-listen", "0.0.0.0:1", "--admin-allow-remote"], 0],
      [["--admin-listen", "0.0.0.0:1", "--admin-allow-remote", "false"], 3],
      [["--admin-listen", "0.0.0.0:1", "--admin-allow-remote=true"], 0],
    ] as const)
      expect(await runCli(["check", "--no-dns", ...flags], fakeIo())).toBe(
        status,
      );
  });
});

it("shows nothing of a value to the terminal that the terminal would obey", async () => {
  const io = fakeIo();
  await runCli(
    ["check", "--domain", "a\u001b[2J\u009b\u202e\nforged", "--\u001b[31m"],
    io,
  );
  await runCli(["check", "--domain", "a\u001b[2J\u009b\u202e\nforged"], io);
  expect(io.err()).toMatch(/^[\n\x20-\x7e…]+$/);
  expect(io.err()).not.toMatch(/^forged/m);
});

function useConfig(text: string): { config: string; folder: string } {
  const folder = mkdtempSync(join(tmpdir(), "edge-cli-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const config = join(folder, "edge.yaml");
  writeFileSync(config, `${text}state-dir: .\n`);
  return { config, folder };
}
