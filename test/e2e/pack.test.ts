// The tarballs that users install: they stand alone, with scripts off and nothing of this checkout in reach.
// one ingress only: it is about packaging, and the embedded ingress needs nothing else on the machine
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PRODUCT_VERSION } from "@expose/protocol";
import { afterAll, beforeAll, expect, test } from "vitest";
import { run } from "../harness/processes.ts";

const ROOT = join(import.meta.dirname, "../..");
let project: string;

beforeAll(async () => {
  project = await mkdtemp(join(tmpdir(), "expose-pack-"));
  const packed = await run(
    "npm",
    [
      "pack",
      "--workspace=@expose/client",
      "--workspace=@expose/edge",
      `--pack-destination=${project}`,
      "--ignore-scripts",
    ],
    { cwd: ROOT },
  );
  expect(packed, packed.stderr).toMatchObject({ code: 0 });
  const tarballs = packed.stdout.trim().split("\n").slice(-2);
  await writeFile(
    join(project, "package.json"),
    JSON.stringify({ name: "consumer", private: true, type: "module" }),
  );
  const installed = await run(
    "npm",
    [
      "install",
      "--ignore-scripts",
      "--omit=dev",
      // All of it was fetched when the checkout was installed.
      "--prefer-offline",
      "--no-audit",
      "--no-fund",
      ...tarballs.map((tarball) => `./${tarball}`),
      "@types/node@20.19.43",
    ],
    { cwd: project },
  );
  expect(installed, installed.stderr).toMatchObject({ code: 0 });
});

afterAll(() => rm(project, { recursive: true, force: true }));

const inProject = (command: string, ...args: string[]) =>
  run(command, args, { cwd: project });

test("the client's command runs", async () => {
  const version = await inProject("node_modules/.bin/expose", "--version");
  expect(version).toMatchObject({ code: 0, stdout: `${PRODUCT_VERSION}\n` });
});

test("the edge's command runs", async () => {
  const version = await inProject("node_modules/.bin/expose-edge", "version");
  expect(version).toMatchObject({ code: 0 });
  expect(version.stdout).toContain(PRODUCT_VERSION);
});

test("a strict TypeScript project compiles against the declarations", async () => {
  await writeFile(
    join(project, "tsconfig.json"),
    JSON.stringify({
      compilerOptions: {
        target: "es2023",
        lib: ["es2023", "esnext.disposable"],
        module: "nodenext",
        types: ["node"],
        strict: true,
        exactOptionalPropertyTypes: true,
        noUncheckedIndexedAccess: true,
        noEmit: true,
        skipLibCheck: false,
      },
      files: ["use.ts"],
    }),
  );
  await writeFile(
    join(project, "use.ts"),
    `import { expose, ExposeError, type RequestInfo, type Tunnel } from "@expose/client";
     import * as edge from "@expose/edge";
     export async function use(): Promise<Tunnel> {
       await using tunnel: Tunnel = await expose({ port: 8080, server: "me@example.com" });
       tunnel.on("request", (request: RequestInfo) => request.path.toUpperCase());
       // @ts-expect-error a port is a number: the types are really there
       await expose({ port: "8080" });
       const code: string = new ExposeError("aborted", "").code;
       return code === "aborted" ? tunnel : Promise.reject(new Error(String(edge)));
     }`,
  );
  const tsc = join(ROOT, "node_modules/typescript/bin/tsc");
  const checked = await inProject(process.execPath, tsc, "--project", ".");
  expect(checked.stdout).toBe("");
  expect(checked.code).toBe(0);
});
