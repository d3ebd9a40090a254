import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { openCodeCache, type CodeCache } from "./code-cache.ts";

const CODE = Buffer.from("what V8 made of it");

function useHome(): { home: string; folder: string } {
  const home = mkdtempSync(join(tmpdir(), "expose-cache-"));
  onTestFinished(() => rmSync(home, { recursive: true, force: true }));
  return { home, folder: join(home, ".cache/expose") };
}

const cacheOf = (
  home: string,
  program = "p1",
  env: Record<string, string> = {},
): CodeCache => openCodeCache({ program, env, home })!;

const only = (folder: string): string => join(folder, readdirSync(folder)[0]!);

it("gives back what an earlier run with the same program left", () => {
  const { home, folder } = useHome();
  expect(cacheOf(home).read()).toBeUndefined();
  cacheOf(home).write(CODE);
  expect(cacheOf(home).read()).toEqual(CODE);
  expect(cacheOf(home, "p2").read()).toBeUndefined();
  expect(lstatSync(folder).mode & 0o777).toBe(0o700);
  expect(lstatSync(only(folder)).mode & 0o777).toBe(0o600);
  expect(readdirSync(folder)).toHaveLength(1);
});

it("is kept where XDG_CACHE_HOME says, unless that is a relative path", () => {
  const { home, folder } = useHome();
  const elsewhere = join(home, "elsewhere");
  mkdirSync(elsewhere);
  cacheOf(home, "p1", { XDG_CACHE_HOME: elsewhere }).write(CODE);
  expect(readdirSync(join(elsewhere, "expose"))).toHaveLength(1);
  expect(existsSync(folder)).toBe(false);
  cacheOf(home, "p1", { XDG_CACHE_HOME: "here" }).write(CODE);
  expect(readdirSync(folder)).toHaveLength(1);
});

it.each([
  [
    "the folder may be written to by others",
    (folder: string) => chmodSync(folder, 0o777),
  ],
  [
    "the folder is a link",
    (folder: string) => {
      const real = `${folder}-real`;
      mkdirSync(real, { mode: 0o700 });
      cacheIn(real, folder);
    },
  ],
  [
    "the file may be written to by others",
    (folder: string) => chmodSync(only(folder), 0o620),
  ],
  [
    "the file is a link",
    (folder: string) => {
      const file = only(folder);
      const elsewhere = join(folder, "elsewhere");
      writeFileSync(elsewhere, CODE, { mode: 0o600 });
      rmSync(file);
      symlinkSync(elsewhere, file);
    },
  ],
])("is not read when %s", (_, spoil) => {
  const { home, folder } = useHome();
  cacheOf(home).write(CODE);
  expect(cacheOf(home).read()).toEqual(CODE);
  spoil(folder);
  expect(cacheOf(home).read()).toBeUndefined();
});

function cacheIn(real: string, folder: string): void {
  writeFileSync(join(real, only(folder).split("/").at(-1)!), CODE, {
    mode: 0o600,
  });
  rmSync(folder, { recursive: true });
  symlinkSync(real, folder);
}

it.runIf(process.getuid?.() === 0)(
  "is neither read from nor made in somebody else's home",
  () => {
    // As under sudo, which leaves HOME as it is.
    const { home } = useHome();
    const stranger = 65_534;
    chownSync(home, stranger, stranger);
    cacheOf(home).write(CODE);
    expect(readdirSync(home)).toEqual([]);
  },
);

it("does without when nothing can be written, and when it is switched off", () => {
  const { home } = useHome();
  writeFileSync(join(home, ".cache"), "a file");
  const cache = cacheOf(home);
  cache.write(CODE);
  expect(cache.read()).toBeUndefined();
  const env = { NODE_DISABLE_COMPILE_CACHE: "1" };
  expect(openCodeCache({ program: "p1", env, home })).toBeUndefined();
});

it("removes what releases of long ago left, and nothing else", () => {
  const { home, folder } = useHome();
  for (const program of ["old", "recent"]) cacheOf(home, program).write(CODE);
  const notOurs = join(folder, "notes");
  writeFileSync(notOurs, "");
  const longAgo = Date.now() / 1_000 - 60 * 24 * 60 * 60;
  for (const name of readdirSync(folder))
    if (!name.includes("recent")) utimesSync(join(folder, name), 0, longAgo);
  cacheOf(home, "new").write(CODE);
  expect(cacheOf(home, "old").read()).toBeUndefined();
  expect(cacheOf(home, "recent").read()).toEqual(CODE);
  expect(existsSync(notOurs)).toBe(true);
});
