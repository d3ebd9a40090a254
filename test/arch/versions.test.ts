// One version everywhere, and a lock file that every npm takes.
import { PRODUCT_VERSION } from "@expose/protocol";
import { expect, test } from "vitest";
import { completeLock } from "../../infra/dev/complete-lock.mjs";
import { readSource } from "./sources.ts";

const FOLDERS = [
  "",
  ...["client", "edge", "inspector", "protocol"].map(
    (name) => `packages/${name}/`,
  ),
];

test.each(FOLDERS)(
  "%spackage.json has the version that the programs print",
  (folder) => {
    const { version } = JSON.parse(readSource(`${folder}package.json`)) as {
      version: string;
    };
    expect(version).toBe(PRODUCT_VERSION);
  },
);

test.each(FOLDERS)(
  "%spackage.json names exact versions of its dependencies",
  (folder) => {
    const json = JSON.parse(readSource(`${folder}package.json`)) as Record<
      string,
      Record<string, string> | undefined
    >;
    const loose = Object.entries({
      ...json["dependencies"],
      ...json["devDependencies"],
    }).filter(([, version]) => !/^\d+\.\d+\.\d+$/.test(version));
    expect(loose).toEqual([]);
  },
);

const LOCKS = ["package-lock.json", "infra/dev/node-lts/package-lock.json"];

test.each(LOCKS)("%s holds no download addresses", (path) => {
  expect(readSource(path)).not.toMatch(/"resolved": "\w+:/);
});

test.each(LOCKS)("%s holds every platform's packages", (path) => {
  // When this fails: node infra/dev/complete-lock.mjs
  expect(
    completeLock(
      JSON.parse(readSource(path)) as { packages: Record<string, unknown> },
    ),
  ).toEqual([]);
});
