// Imports go one way, and heavy dependencies have one door each: docs/architecture.md says which and why.
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { spawnSync } from "node:child_process";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { explainImport } from "../../infra/dev/lint/import-arrows.mjs";
import {
  listSources,
  parseImports,
  readSource,
  resolveImport,
  ROOT,
} from "./sources.ts";

const PACKAGES = [
  "packages/client/src",
  "packages/edge/src",
  "packages/inspector/src",
  "packages/protocol/src",
];

test("every import follows the arrows", () => {
  const wrong = listSources([...PACKAGES, "test", "docs/examples"]).flatMap(
    (file) =>
      parseImports(readSource(file)).flatMap(({ specifier, typeOnly }) => {
        const reason = explainImport(file, specifier, typeOnly);
        return reason ? [`${file} imports ${specifier}: ${reason}`] : [];
      }),
  );
  expect(wrong).toEqual([]);
});

test.each([
  [
    "packages/client/src/ssh/session.ts",
    "@expose/edge",
    "never import one another",
  ],
  [
    "packages/edge/src/edge.ts",
    "../../client/src/index.ts",
    "never import one another",
  ],
  [
    "packages/protocol/src/join.ts",
    "@expose/client",
    "protocol imports neither",
  ],
  ["packages/protocol/src/join.ts", "node:net", "free of sockets"],
  ["packages/edge/src/edge.ts", "../../protocol/src/limits.ts", "by its name"],
  ["packages/edge/src/http/proxy.ts", "../routes/table.ts", undefined],
  [
    "packages/edge/src/routes/table.ts",
    "../http/proxy.ts",
    "routes must not import http",
  ],
  [
    "packages/edge/src/http/proxy.ts",
    "../control/control.ts",
    "http must not import control",
  ],
  [
    "packages/edge/src/policy/host.ts",
    "../tls/store.ts",
    "policy must not import tls",
  ],
  [
    "packages/edge/src/http/proxy.ts",
    "../edge.ts",
    "http must not import edge.ts",
  ],
  ["packages/edge/src/ingress/openssh/door.ts", "../forward.ts", undefined],
  ["packages/edge/src/util/log.ts", "../errors.ts", undefined],
  [
    "packages/client/src/local/folder.ts",
    "../ssh/session.ts",
    "local must not import ssh",
  ],
  [
    "packages/client/src/expose.ts",
    "./cli/run.ts",
    "expose.ts must not import cli",
  ],
  ["packages/client/src/cli/commands/http.ts", "../../expose.ts", undefined],
  ["packages/client/src/drawer.ts", "./errors.ts", "drawer.ts has no place"],
  [
    "packages/edge/src/control/control.ts",
    "ssh2",
    "packages/client/src/ssh and packages/edge/src/ingress",
  ],
  [
    "packages/edge/src/control/control.ts",
    "ssh2/lib/Channel.js",
    "packages/edge/src/ingress",
  ],
  ["packages/edge/src/ingress/embedded/server.ts", "ssh2", undefined],
  [
    "packages/edge/src/http/proxy.ts",
    "http-proxy",
    "packages/edge/src/http/upgrade.ts",
  ],
  ["packages/edge/src/http/upgrade.ts", "http-proxy", undefined],
  [
    "packages/edge/src/http/proxy.ts",
    "undici",
    "packages/client/src/inspect/tap/llhttp.ts",
  ],
  ["test/e2e/http.test.ts", "../../packages/edge/src/edge.ts", "@expose/edge"],
  ["test/e2e/http.test.ts", "@expose/edge", undefined],
  ["packages/edge/src/http/proxy.test.ts", "ssh2", undefined],
  [
    "packages/edge/src/http/proxy.test.ts",
    "@expose/client",
    "never import one another",
  ],
  [
    "packages/inspector/src/list/list.tsx",
    "@expose/client",
    "never import one another",
  ],
  [
    "packages/inspector/src/list/list.tsx",
    "../detail/detail.tsx",
    "list must not import detail",
  ],
  ["packages/inspector/src/list/list.tsx", "../ui/dialog.tsx", undefined],
  ["packages/inspector/src/list/list.tsx", "preact", undefined],
  ["packages/client/src/expose.ts", "preact", "pages are the inspector's"],
])("in %s, importing %s is judged: %s", (file, specifier, reason) => {
  const said = explainImport(file, specifier, false);
  if (reason === undefined) expect(said).toBeUndefined();
  else expect(said).toContain(reason);
});

test("types may come from seam files across places, values may not", () => {
  const importing = (typeOnly: boolean) =>
    explainImport(
      "packages/edge/src/routes/table.ts",
      "../ingress/forward.ts",
      typeOnly,
    );
  expect(importing(true)).toBeUndefined();
  expect(importing(false)).toContain("routes must not import ingress");
});

test("the linter says the same, with the place to use instead", () => {
  const root = mkdtempSync(join(tmpdir(), "expose-lint-"));
  onTestFinished(() => rmSync(root, { recursive: true }));
  cpSync(join(ROOT, ".oxlintrc.json"), join(root, ".oxlintrc.json"));
  cpSync(join(ROOT, "infra/dev"), join(root, "infra/dev"), { recursive: true });
  mkdirSync(join(root, "packages/edge/src/control"), { recursive: true });
  writeFileSync(
    join(root, "packages/edge/src/control/control.ts"),
    'export { Server } from "ssh2";\n',
  );
  const { stdout } = spawnSync(
    process.execPath,
    // Rules that need types would want the dependencies, which are not here.
    [join(ROOT, "node_modules/oxlint/bin/oxlint"), "packages"],
    { cwd: root, encoding: "utf8" },
  );
  expect(stdout).toContain("expose(import-arrows)");
  expect(stdout).toContain("packages/edge/src/ingress");
});

describe("no file imports itself by a detour, not even for types", () => {
  test.each(PACKAGES)("in %s", (folder) => {
    expect(findCycles(listSources([folder]))).toEqual([]);
  });

  test("and a detour would be found", () => {
    const graph = new Map([
      ["a", ["b"]],
      ["b", ["c", "d"]],
      ["c", []],
      ["d", ["b"]],
    ]);
    expect(findCycle(graph)).toEqual(["b", "d", "b"]);
  });
});

function findCycles(files: readonly string[]): string[] {
  const graph = new Map(
    files.map((file) => [
      file,
      parseImports(readSource(file)).flatMap(
        ({ specifier }) => resolveImport(file, specifier) ?? [],
      ),
    ]),
  );
  return findCycle(graph);
}

/** The first cycle of a graph, first node at both ends; empty when there is none. */
function findCycle(graph: ReadonlyMap<string, readonly string[]>): string[] {
  const done = new Set<string>();
  const visit = (node: string, path: readonly string[]): string[] => {
    if (path.includes(node)) return [...path.slice(path.indexOf(node)), node];
    if (done.has(node)) return [];
    for (const next of graph.get(node) ?? []) {
      const cycle = visit(next, [...path, node]);
      if (cycle.length > 0) return cycle;
    }
    done.add(node);
    return [];
  };
  for (const node of graph.keys()) {
    const cycle = visit(node, []);
    if (cycle.length > 0) return cycle;
  }
  return [];
}
