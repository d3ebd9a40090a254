// The configuration file is changed key by key, and nothing else of it is.
import {
  chmod,
  mkdir,
  readdir,
  readFile,
  readlink,
  stat,
  symlink,
  writeFile,
} from "node:fs/promises";
import { join, resolve } from "node:path";
import { expect, test } from "vitest";
import { loadClientConfig } from "./load.ts";
import { useHome } from "./use-home.ts";
import { writeClientConfig } from "./write.ts";

const modeOf = async (path: string): Promise<number> =>
  (await stat(path)).mode & 0o777;

test("a file is made that only its owner can read, in a folder of their own", async () => {
  const home = await useHome();
  const path = await writeClientConfig(
    { server: "alice@example.com", identity: ["/keys/a"] },
    { env: {}, home },
  );
  expect(path).toBe(join(home, ".config/expose/config.yaml"));
  expect(await readFile(path, "utf8")).toBe(
    "server: alice@example.com\nidentity: /keys/a\n",
  );
  expect(await modeOf(path)).toBe(0o600);
  expect(await modeOf(join(home, ".config/expose"))).toBe(0o700);
  expect(await readdir(join(home, ".config/expose"))).toEqual(["config.yaml"]);
});

test("comments, order and what else there is stay as they are", async () => {
  const home = await useHome();
  const config = join(home, "c.yaml");
  await writeFile(
    config,
    `# my tunnels
tunnels:
  web: { port: 8080 } # the shop

# where they go
server: old@example.com # since May
accept-new-host-key: true
`,
  );
  await chmod(config, 0o644);
  await writeClientConfig(
    {
      server: "new@example.com",
      "accept-new-host-key": undefined,
      "known-hosts": ["a", "~/b"],
    },
    { env: {}, home, config },
  );
  expect(await readFile(config, "utf8")).toBe(
    `# my tunnels
tunnels:
  web: { port: 8080 } # the shop

# where they go
server: new@example.com # since May
known-hosts:
  - ${resolve("a")}
  - ~/b
`,
  );
  expect(await modeOf(config)).toBe(0o600);
  expect(
    (await loadClientConfig({ env: {}, home, config })).knownHosts,
  ).toEqual([resolve("a"), join(home, "b")]);
});

test.each(["", "# only a comment\n", "{}\n", "{ server: x }\n"])(
  "the file %j takes a key",
  async (text) => {
    const home = await useHome();
    const config = join(home, "c.yaml");
    await writeFile(config, text);
    await writeClientConfig({ server: "a@b" }, { env: {}, home, config });
    const after = await readFile(config, "utf8");
    expect(after).toMatch(/^server: a@b$/m);
    if (text.startsWith("#")) expect(after).toContain("# only a comment");
  },
);

test("a link to the file stays one, and the file behind it is changed", async () => {
  const home = await useHome();
  await mkdir(join(home, "dotfiles"));
  await writeFile(join(home, "dotfiles/expose.yaml"), "server: old\n");
  await symlink("dotfiles/expose.yaml", join(home, "c.yaml"));
  const config = join(home, "c.yaml");
  await writeClientConfig({ server: "new" }, { env: {}, home, config });
  expect(await readlink(config)).toBe("dotfiles/expose.yaml");
  expect(await readFile(join(home, "dotfiles/expose.yaml"), "utf8")).toBe(
    "server: new\n",
  );
});

test("a file with mistakes is left alone", async () => {
  const home = await useHome();
  const config = join(home, "c.yaml");
  for (const [text, code] of [
    ["serber: x\n", "config-invalid"],
    ["server: [\n", "config-unreadable"],
  ] as const) {
    await writeFile(config, text);
    await expect(
      writeClientConfig({ server: "a@b" }, { env: {}, home, config }),
    ).rejects.toMatchObject({ code });
    expect(await readFile(config, "utf8")).toBe(text);
  }
  expect(await readdir(home)).toEqual(["c.yaml"]);
});

test("a value that the file may not hold is refused before anything is written", async () => {
  const home = await useHome();
  await expect(
    writeClientConfig({ server: "" }, { env: {}, home }),
  ).rejects.toMatchObject({ code: "config-invalid" });
  expect(await readdir(home)).toEqual([]);
});

test("a folder that cannot be made is told with the path", async () => {
  const home = await useHome();
  await writeFile(join(home, ".config"), "a file in the way");
  await expect(
    writeClientConfig({ server: "a@b" }, { env: {}, home }),
  ).rejects.toThrow(
    /config\.yaml cannot be written \(ENOTDIR\)\. Look at the permissions/,
  );
});

test("writers at the same moment leave a whole file and nothing beside it", async () => {
  const home = await useHome();
  const location = { env: {}, home };
  await Promise.all(
    Array.from({ length: 20 }, (_, i) =>
      writeClientConfig({ server: `user${i}@example.com` }, location),
    ),
  );
  expect((await loadClientConfig(location)).server).toMatch(
    /^user\d+@example\.com$/,
  );
  expect(await readdir(join(home, ".config/expose"))).toEqual(["config.yaml"]);
});
