// Configuration files as people write them, mistakes included.
import { chmod, mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import fc from "fast-check";
import { expect, test } from "vitest";
import { ExposeError } from "../errors.ts";
import { checkConfig } from "./check.ts";
import { loadClientConfig } from "./load.ts";
import { useHome } from "./use-home.ts";
import { parseYamlFile } from "./yaml-file.ts";

test("without a file nothing is configured", async () => {
  const home = await useHome();
  expect(await loadClientConfig({ env: {}, home })).toEqual({
    path: join(home, ".config/expose/config.yaml"),
    exists: false,
    server: undefined,
    identity: undefined,
    acceptNewHostKey: undefined,
    knownHosts: undefined,
    tunnels: new Map(),
    inspect: { history: {} },
    webhooks: {},
  });
});

test("a whole file is read, with paths made absolute", async () => {
  const { load, home, folder } = await useConfig(`
server: alice@tunnel.example.com:2222
identity: ~/.ssh/expose
accept-new-host-key: true
known-hosts: [hosts, /etc/ssh/ssh_known_hosts]
tunnels:
  web:
    upstream: 8080
    name: shop
    host-header: rewrite
  api: { port: "3000", subdomain: api }
  site: { addr: ./dist }
  old: { upstream: "https://localhost:8443", upstream-ca: ca.pem }
webhooks:
  stripe: { secret-env: STRIPE_SECRET }
  linear: { header: Linear-Signature, algorithm: sha1, secret-encoding: hex }
`);
  const config = await load();
  expect(config).toMatchObject({
    exists: true,
    server: "alice@tunnel.example.com:2222",
    identity: [join(home, ".ssh/expose")],
    acceptNewHostKey: true,
    knownHosts: [join(folder, "hosts"), "/etc/ssh/ssh_known_hosts"],
    webhooks: {
      stripe: { secretEnv: "STRIPE_SECRET" },
      linear: {
        header: "Linear-Signature",
        algorithm: "sha1",
        secretEncoding: "hex",
      },
    },
  });
  expect([...config.tunnels]).toEqual([
    [
      "web",
      {
        upstream: { kind: "tcp", host: "localhost", port: 8080 },
        name: "shop",
        hostHeader: "rewrite",
        upstreamCa: undefined,
      },
    ],
    ["api", expect.objectContaining({ name: "api", hostHeader: undefined })],
    [
      "site",
      expect.objectContaining({
        upstream: { kind: "folder", path: join(folder, "dist") },
      }),
    ],
    ["old", expect.objectContaining({ upstreamCa: join(folder, "ca.pem") })],
  ]);
  expect(Object.isFrozen(config)).toBe(true);
});

test.each(["", "\n", "# nothing yet\n", "{}", "---\n", "tunnels: {}\n"])(
  "the file %j says nothing, and that is fine",
  async (text) => {
    const { load } = await useConfig(text);
    expect(await load()).toMatchObject({ exists: true, server: undefined });
  },
);

test("all mistakes are told at once, with line and path", async () => {
  const { load, path } = await useConfig(`server: 7
Identity: ~/.ssh/expose
acceptNewHostKey: true
known-hosts: [1]
tunnels:
  web:
    upstrem: 8080
  api:
    upstream: 99999
    name: My Shop
    host-header: "a b"
  both: { port: 1, addr: 2, name: a, subdomain: a }
  none: {}
  nothing:
  "-s": { port: 8080 }
`);
  const error = await failure(load());
  expect(error.code).toBe("config-invalid");
  const [head, ...lines] = error.message.split("\n");
  expect(head).toBe("The configuration file has 13 mistakes:");
  expect(lines.map((line) => line.trim().replace(`${path}:`, ""))).toEqual([
    "1: server: expected text",
    "2: Identity: there is no such key; is it identity?",
    "3: acceptNewHostKey: there is no such key; is it accept-new-host-key?",
    "4: known-hosts: expected a path or a list of paths",
    "7: tunnels.web.upstrem: there is no such key; is it upstream?",
    '9: tunnels.api.upstream: "99999": a port is a number from 1 to 65535',
    "10: tunnels.api.name: A name has letters a to z, digits and hyphens only, and neither begins nor ends with a hyphen",
    "11: tunnels.api.host-header: expected preserve, rewrite or a host name",
    "12: tunnels.both: expected one of upstream, addr and port",
    "12: tunnels.both: expected name or subdomain, not both",
    "13: tunnels.none: expected one of upstream, addr and port",
    "14: tunnels.nothing: expected the keys of a tunnel",
    expect.stringMatching(/^15: tunnels\.-s: /),
  ]);
});

test.each([
  ["[a, b]", "1: expected keys and values"],
  ["text", "1: expected keys and values"],
  ["port: 8080", "1: port: there is no such key; there are server, identity"],
  ["server: ''", "1: server: expected text, and this is empty"],
  ["identity: ''", "1: identity: expected a path or a list of paths"],
  ["identity: [a, '']", "1: identity.1: expected a path, and this is empty"],
  [
    "accept-new-host-key: yes",
    "1: accept-new-host-key: expected true or false",
  ],
  ["tunnels: [web]", "1: tunnels: expected tunnels by their names"],
  ["tunnels: [{ port: 1 }]", "1: tunnels: expected tunnels by their names"],
  ["tunnels: web", "1: tunnels: expected tunnels by their names"],
  ["tunnels:\n  a: [1]", "2: tunnels.a: expected the keys of a tunnel"],
  ["__proto__: {}", "1: __proto__: there is no such key"],
  [
    "tunnels:\n  a: { constructor: 1, port: 1 }",
    "2: tunnels.a.constructor: there is no such key",
  ],
  [
    "tunnels:\n  a:\n    port: 1\n    name: 42",
    "4: tunnels.a.name: expected text (put a number into quotes)",
  ],
  [
    "tunnels:\n  a:\n    port: [1]",
    "3: tunnels.a.port: expected a port, host:port",
  ],
])("the file %j is refused", async (text, message) => {
  const { load, path } = await useConfig(text);
  const error = await failure(load());
  expect(error.code).toBe("config-invalid");
  expect(error.message).toContain(
    `The configuration file has a mistake:\n  ${path}:${message}`,
  );
});

test("what is no YAML is told with its lines, all of them", async () => {
  const { load, path } = await useConfig("server: a\nserver: b\nx: [1\ny: }\n");
  const error = await failure(load());
  expect(error.code).toBe("config-unreadable");
  expect(error.message).toContain(`${path}:2: Map keys must be unique`);
  expect(error.message.split("\n").length).toBeGreaterThan(3);
});

test("a file that unfolds into gigabytes is refused", async () => {
  const { load } = await useConfig(
    `a: &a [1,1,1,1,1,1,1,1,1]\n${"bcdefghi"
      .split("")
      .map(
        (key, i) =>
          `${key}: &${key} [${Array(9).fill(`*${"abcdefgh"[i]}`).join(",")}]\n`,
      )
      .join("")}`,
  );
  const error = await failure(load());
  expect(error.code).toBe("config-unreadable");
  expect(error.message).toMatch(/alias/);
});

test("a file that was named has to be there, and readable", async () => {
  const home = await useHome();
  for (const location of [
    { env: {}, home, config: "/nowhere/c.yaml" },
    { env: { EXPOSE_CONFIG: "/nowhere/c.yaml" }, home },
  ]) {
    const error = await failure(loadClientConfig(location));
    expect(error.code).toBe("config-unreadable");
    expect(error.message).toMatch(
      /^The configuration file \/nowhere\/c.yaml does not exist/,
    );
  }
  const error = await failure(
    loadClientConfig({ env: {}, home, config: home }),
  );
  expect(error.message).toMatch(/cannot be read \(EISDIR\)/);
});

test("the flag goes before the variable, the variable before XDG's folder, and that before ~/.config", async () => {
  const home = await useHome();
  const put = async (path: string, server: string) => {
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, `server: ${server}\n`);
    return path;
  };
  await put(join(home, ".config/expose/config.yaml"), "home");
  await put(join(home, "xdg/expose/config.yaml"), "xdg");
  const byVariable = await put(join(home, "variable.yaml"), "variable");
  await put(join(home, "flag.yaml"), "flag");
  const server = async (
    env: Record<string, string>,
    config?: string,
  ): Promise<string | undefined> =>
    (await loadClientConfig({ env, home, config })).server;
  const XDG_CONFIG_HOME = join(home, "xdg");
  const EXPOSE_CONFIG = byVariable;
  expect(await server({})).toBe("home");
  expect(await server({ XDG_CONFIG_HOME: "", EXPOSE_CONFIG: "" })).toBe("home");
  expect(await server({ XDG_CONFIG_HOME: "relative/xdg" })).toBe("home");
  expect(await server({ XDG_CONFIG_HOME })).toBe("xdg");
  expect(await server({ XDG_CONFIG_HOME, EXPOSE_CONFIG })).toBe("variable");
  expect(await server({ XDG_CONFIG_HOME, EXPOSE_CONFIG }, "~/flag.yaml")).toBe(
    "flag",
  );
});

test("any YAML is read or refused with an error of ours", () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.json(),
        fc
          .array(
            fc.constantFrom(
              ..."server: tunnels: web: upstream: 8080 identity: - [ ] { } & * | > # ' \n   ~ null".split(
                " ",
              ),
              " ",
              "\n  ",
            ),
          )
          .map((words) => words.join(" ")),
      ),
      (text) => {
        try {
          checkConfig("c.yaml", parseYamlFile("c.yaml", text));
        } catch (error) {
          expect(error).toBeInstanceOf(ExposeError);
        }
      },
    ),
  );
});

async function useConfig(text: string) {
  const home = await useHome();
  const folder = join(home, ".config/expose");
  const path = join(folder, "config.yaml");
  await mkdir(folder, { recursive: true });
  await writeFile(path, text);
  await chmod(path, 0o600);
  return {
    home,
    folder,
    path,
    load: () => loadClientConfig({ env: {}, home }),
  };
}

async function failure(promise: Promise<unknown>): Promise<ExposeError> {
  const error: unknown = await promise.then(
    () => new Error("It did not fail."),
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(ExposeError);
  return error as ExposeError;
}

test("the inspector's bounds are read, and what is wrong with them is said at once", async () => {
  const { load } = await useConfig(`inspect:
  enabled: false
  port: 0
  keep-secrets: true
  history:
    enabled: true
    max-bytes: 64M
    max-exchanges: 100
    max-age-days: 2
    max-body-bytes: 0
`);
  expect((await load()).inspect).toEqual({
    enabled: false,
    port: 0,
    keepSecrets: true,
    history: {
      enabled: true,
      maxBytes: 64 * 1_024 * 1_024,
      maxExchanges: 100,
      maxAgeDays: 2,
      maxBodyBytes: 0,
    },
  });
  const wrong = await useConfig(`inspect:
  prot: 4040
  port: 70000
  history:
    max-bytes: 64 MB
    max-exchanges: 1.5
    max-age: 2
`);
  await expect(wrong.load()).rejects.toThrow(
    /5 mistakes:[^]*:2: inspect\.prot: there is no such key; is it port\?\n.*:3: inspect\.port: expected a number from 0 to 65535\n.*:5: inspect\.history\.max-bytes: expected a size such as 64M\n.*:6: inspect\.history\.max-exchanges: expected a whole number\n.*:7: inspect\.history\.max-age: there is no such key/,
  );
});
