import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { EdgeError } from "../errors.ts";
import { fields } from "./derive.ts";
import { ConfigError, loadConfig, type ConfigSources } from "./load.ts";

describe("a configuration without mistakes", () => {
  it("is complete without any source", () => {
    const config = loadConfig();
    expect(config).toMatchObject({
      domain: ["localhost"],
      listen: [{ host: "127.0.0.1", port: 7780 }],
      users: "/var/lib/expose/users",
      ingress: { embedded: { enabled: true }, openssh: { enabled: false } },
      limits: { headerBytes: 32 * 1024 },
      timeouts: { lease: 60_000, shutdown: 30_000 },
      admin: { listen: { host: "127.0.0.1", port: 7781 } },
    });
    expect(config.publicUrl).toBeUndefined();
  });

  it("cannot be changed, at any depth", () => {
    const config = loadConfig({ values: { "reserved-names": ["billing"] } });
    for (const part of [
      config,
      config.ingress.embedded,
      config.listen,
      config.listen[0],
    ])
      expect(Object.isFrozen(part)).toBe(true);
  });

  it("takes a flag before a variable, a variable before the file, the file before the default", () => {
    const file = yamlFile(`
domain: file.example.com
limits: { login-attempts: 1, connections: 1, requests-per-tunnel: 1 }
`);
    const config = loadConfig({
      file,
      env: {
        EXPOSE_EDGE_LIMITS_LOGIN_ATTEMPTS: "2",
        EXPOSE_EDGE_LIMITS_CONNECTIONS: "2",
        EXPOSE_EDGE_DOMAIN: "",
      },
      flags: { "limits-login-attempts": ["3"] },
    });
    expect(config.domain).toEqual(["file.example.com"]);
    expect(config.limits).toMatchObject({
      loginAttempts: 3,
      connections: 2,
      requestsPerTunnel: 1,
      tunnelsPerIdentity: 100,
    });
  });

  it("takes one text or a list in the file, commas in variables, and repeated flags", () => {
    expect(loadConfig({ values: { domain: "a.example" } }).domain).toEqual([
      "a.example",
    ]);
    expect(
      loadConfig({ env: { EXPOSE_EDGE_DOMAIN: "A.example, b.example" } })
        .domain,
    ).toEqual(["a.example", "b.example"]);
    expect(
      loadConfig({ flags: { domain: ["a.example", "b.example,c.example"] } })
        .domain,
    ).toEqual(["a.example", "b.example", "c.example"]);
  });

  it("counts relative paths from the file's folder, and from the current one in flags", () => {
    const file = yamlFile("users: team/users\nstate-dir: state\n");
    const config = loadConfig({
      file,
      flags: { "access-log-file": ["requests.log"] },
    });
    expect(config.users).toBe(join(file, "../team/users"));
    expect(config.stateDir).toBe(join(file, "../state"));
    expect(config.ingress.embedded.hostKey).toBe(
      join(file, "../state/ssh_host_ed25519_key"),
    );
    expect(config.accessLog.file).toBe(join(process.cwd(), "requests.log"));
  });

  it("takes an empty file, and sections of which every line is a comment", () => {
    expect(loadConfig({ file: yamlFile("") })).toEqual(loadConfig());
    expect(
      loadConfig({ file: yamlFile("limits:\n  # connections: 5\n") }),
    ).toEqual(loadConfig());
  });

  it("knows the short form of the access log's flag", () => {
    expect(
      loadConfig({ flags: { "log-headers": ["none"] } }).accessLog.headers,
    ).toBe("none");
  });

  it("leaves Kubernetes' variables for a service called expose-edge alone", () => {
    expect(() =>
      loadConfig({
        env: {
          EXPOSE_EDGE_SERVICE_HOST: "10.0.0.1",
          EXPOSE_EDGE_PORT: "tcp://10.0.0.1:7780",
          EXPOSE_EDGE_PORT_7780_TCP_ADDR: "10.0.0.1",
        },
      }),
    ).not.toThrow();
  });

  it("adds the operator's reserved names to its own", () => {
    const { reservedNames } = loadConfig({
      values: { "reserved-names": "billing" },
    });
    expect(reservedNames).toContain("billing");
    expect(reservedNames).toContain("www");
  });
});

describe("a configuration with mistakes", () => {
  it("is refused with all five of them, each with its path and line", () => {
    const file = yamlFile(
      [
        "domain: https://tunnel.example.com/",
        "limits:",
        "  connections: many",
        "  conections: 5",
        "timeouts:",
        "  headers: 30",
        "admin:",
        "  listen: 0.0.0.0:7781",
      ].join("\n"),
    );
    const error = failure({ file });
    expect(error.problems.map(({ path, source }) => [path, source])).toEqual([
      ["limits.conections", `${file}:4`],
      ["domain", `${file}:1`],
      ["limits.connections", `${file}:3`],
      ["timeouts.headers", `${file}:6`],
      ["admin.listen", `${file}:8`],
    ]);
    for (const { path, source, message } of error.problems)
      expect(error.message).toContain(`${path} (${source}): ${message}`);
    expect(error).toMatchObject({ code: "config-invalid", exitStatus: 3 });
    expect(error.message).toContain("5 mistakes");
  });

  it("counts the items of a list, and of nothing that was written as one text", () => {
    const file = yamlFile(
      "listen: [127.0.0.1:1, here]\ntrusted-proxies: everywhere\n",
    );
    const { problems } = failure({ file, flags: { domain: ["-,b"] } });
    expect(problems.map(({ path, source }) => [path, source])).toEqual([
      ["domain", "--domain"],
      ["listen.1", `${file}:1`],
      ["trusted-proxies", `${file}:2`],
    ]);
  });

  it("names the flag or the variable that a mistake came from", () => {
    const { problems } = failure({
      env: { EXPOSE_EDGE_LISTEN: "here" },
      flags: { "timeouts-idle": ["1 hour"] },
    });
    expect(problems.map(({ source }) => source)).toEqual([
      "EXPOSE_EDGE_LISTEN",
      "--timeouts-idle",
    ]);
  });

  it("reports every unknown key, and what may have been meant", () => {
    const { problems } = failure({
      file: yamlFile(
        "connections: 1\nadmn: {}\npublicUrl: x\nlimits:\n  header_bytes: 1KiB\n  zzz: 1\n",
      ),
      env: { EXPOSE_EDGE_LIMIT_CONNECTIONS: "1" },
    });
    expect(problems.map(({ path, message }) => `${path}: ${message}`)).toEqual([
      "connections: there is no such key; did you mean limits.connections?",
      "admn: there is no such key; did you mean admin?",
      "publicUrl: there is no such key; did you mean public-url?",
      "limits.header_bytes: there is no such key; did you mean limits.header-bytes?",
      "limits.zzz: there is no such key",
      "EXPOSE_EDGE_LIMIT_CONNECTIONS: there is no such variable; did you mean EXPOSE_EDGE_LIMITS_CONNECTIONS?",
    ]);
  });

  it("does not take a dotted key or __proto__ for a path", () => {
    const { problems } = failure({
      file: yamlFile(
        '"limits.connections": 5\n__proto__: { domain: evil.example }\n',
      ),
    });
    expect(problems.map(({ path }) => path)).toEqual([
      "limits.connections",
      "__proto__",
    ]);
  });

  it.each([
    [
      "a public URL elsewhere",
      "domain: a.example\npublic-url: https://b.example",
      "must be the first domain (a.example)",
    ],
    [
      "a public URL with a path",
      "public-url: https://localhost/app",
      "without a path",
    ],
    [
      "no ingress",
      "ingress: { embedded: { enabled: false } }",
      "no client can connect",
    ],
    [
      "an address that is used twice",
      "listen: 127.0.0.1:7781",
      "127.0.0.1:7781 is to be listened on twice",
    ],
    [
      "a default name that is reserved",
      "reserved-names: home\ndefault-name: home",
      "no tunnel can ever have it",
    ],
    ["a wildcard domain", 'domain: "*.example.com"', 'write "example.com"'],
    ["an address as domain", "domain: 192.0.2.1", "names need a domain"],
    [
      "a domain with a port",
      "domain: example.com:8080",
      "ports stand in listen",
    ],
    ["a domain in Unicode", "domain: bücher.example", "ASCII form"],
    ["a domain with an underscore", "domain: a_b.example", "expected a domain"],
    ["no domain at all", "domain: []", "expected at least one"],
    ["a key without a value", "domain:", "nothing stands there"],
    [
      "a port beyond 65535",
      "listen: 127.0.0.1:65536",
      "expected an address and a port",
    ],
    ["a port alone", "listen: 7780", "expected a text or a list"],
    [
      "trust in everybody",
      "trusted-proxies: 0.0.0.0/0",
      "trusts the whole Internet",
    ],
    [
      "a network that is none",
      "trusted-proxies: 10.0.0.0/33",
      "expected an IP address or a network",
    ],
    [
      "a duration without a unit",
      'timeouts: { idle: "30" }',
      "expected a duration",
    ],
    [
      "a duration beyond the timer's range",
      "timeouts: { idle: 25d }",
      "at most 24d",
    ],
    [
      "a size out of range",
      "limits: { header-bytes: 2MiB }",
      "from 1024 to 1048576 bytes",
    ],
    [
      "a number with a fraction",
      "limits: { connections: 1.5 }",
      "expected a whole number from 1",
    ],
    [
      "a boolean in words",
      "admin: { enabled: yes please }",
      "expected true or false",
    ],
    [
      "a word that is no choice",
      "log: { level: loud }",
      "one of error, warn, info, debug",
    ],
    ["a home folder", "users: ~/users", "~ is not expanded"],
    [
      "a state folder in itself",
      'state-dir: "{state-dir}/x"',
      "cannot be in itself",
    ],
    ["a section that is a text", "limits: 5", "expected keys and values"],
    ["a file that is a list", "- a", "expected keys and values"],
    [
      "a range of ports backwards",
      "ingress: { openssh: { direct-ports: 9-1 } }",
      "expected a port or a range",
    ],
    ["a reserved name in capitals", "reserved-names: Shop", 'try "shop"'],
  ])("is refused for %s", (_, yaml, message) => {
    const { problems } = failure({ file: yamlFile(yaml) });
    expect(problems).toHaveLength(1);
    expect(problems[0]!.message).toContain(message);
  });

  it("accepts a public admin address when the operator says so", () => {
    const config = loadConfig({
      values: { admin: { listen: "0.0.0.0:7781", "allow-remote": true } },
    });
    expect(config.admin.listen.host).toBe("0.0.0.0");
  });
});

describe("a file that is no configuration", () => {
  it.each([
    [
      "broken YAML, with the line",
      "domain: a.example\nlimits: [\n",
      /edge\.yaml:3: /,
    ],
    [
      "a key that stands there twice",
      "domain: a\ndomain: b\n",
      /edge\.yaml:2: /,
    ],
    ["aliases that unfold without end", bomb(), /alias/i],
  ])("is refused: %s", (_, text, message) => {
    const load = (): unknown => loadConfig({ file: yamlFile(text) });
    expect(load).toThrow(message);
    expect(load).toThrow(
      expect.objectContaining({ code: "config-unreadable" }),
    );
  });

  it("is refused when it is not there", () => {
    expect(() => loadConfig({ file: "/nowhere/edge.yaml" })).toThrow(
      "The configuration file /nowhere/edge.yaml cannot be read (ENOENT)",
    );
  });
});

it("gives each key a flag and a variable of its own", () => {
  const flags = fields.flatMap(({ flag, alias }) =>
    alias ? [flag, alias] : [flag],
  );
  expect(new Set(flags).size).toBe(flags.length);
  expect(new Set(fields.map(({ env }) => env)).size).toBe(fields.length);
  for (const field of fields) expect(field.description).toMatch(/\S\.$/);
});

function failure(sources: ConfigSources): ConfigError {
  try {
    loadConfig(sources);
  } catch (error) {
    if (error instanceof ConfigError) return error;
    throw error instanceof EdgeError ? new Error(error.message) : error;
  }
  throw new Error("The configuration was accepted.");
}

function yamlFile(text: string): string {
  const folder = mkdtempSync(join(tmpdir(), "edge-config-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const file = join(folder, "edge.yaml");
  writeFileSync(file, text);
  return file;
}

function bomb(): string {
  const lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"];
  for (let i = 1; i < 9; i++)
    lines.push(
      `a${i}: &a${i} [${Array(10)
        .fill(`*a${i - 1}`)
        .join(", ")}]`,
    );
  return lines.join("\n");
}
