// One suite, two worlds: a whole-system test runs over both ingresses, or says why it does not.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { listSources, readSource, ROOT } from "./sources.ts";

const REASON = /^\/\/ one ingress only: \S.{9,}$/m;

// git keeps no empty folders, and conformance begins as one.
const folders = ["test/e2e", "test/conformance"].filter((folder) =>
  existsSync(join(ROOT, folder)),
);

test.each(listSources(folders, [".test.ts"]))(
  "%s runs over both ingresses or says why not",
  (file) => {
    const source = readSource(file);
    const both = /\bdescribeIngress\(/.test(source);
    const reason = REASON.test(source);
    expect(
      both || reason,
      `use describeIngress of test/harness/worlds.ts, or write "// one ingress only: <reason>"`,
    ).toBe(true);
  },
);

test("there are whole-system tests", () => {
  expect(listSources(["test/e2e"], [".test.ts"])).not.toEqual([]);
});
