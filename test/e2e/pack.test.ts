// The tarballs that users install: they stand alone, with scripts off and nothing of this checkout in reach.
// one ingress only: it is about packaging, and the embedded ingress needs nothing else on the machine
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PRODUCT_VERSION } from "@expose/protocol";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { freePort } from "../harness/plain-sshd.ts";
import { run, startProgram, stop } from "../harness/processes.ts";
import { hello, startUpstream } from "../harness/upstreams.ts";
import { visit } from "../harness/visit.ts";

const ROOT = join(import.meta.dirname, "../..");
let project: string;

beforeAll(async () => {
  project = await mkdtemp(join(tmpdir(), "expose-pack-"));
  const packed = await npm(
    ROOT,
    "pack",
    "--workspace=@expose/client",
    "--workspace=@expose/edge",
    `--pack-destination=${project}`,
    "--ignore-scripts",
  );
  const tarballs = packed.trim().split("\n").slice(-2);
  await writeFile(
    join(project, "package.json"),
    JSON.stringify({ name: "consumer", private: true, type: "module" }),
  );
  await npm(
    project,
    "install",
    "--ignore-scripts",
    "--omit=dev",
    // All of it was fetched when the checkout was installed.
    "--prefer-offline",
    "--no-audit",
    "--no-fund",
    ...tarballs.map((tarball) => `./${tarball}`),
    "@types/node@20.19.43",
  );
});

afterAll(() => rm(project, { recursive: true, force: true }));

async function npm(folder: string, ...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await run("npm", args, { cwd: folder });
  if (code !== 0) throw new Error(`npm ${args[0]} failed: ${stderr}`);
  return stdout;
}

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

test("the client brings the inspector's page, whole", async () => {
  const folder = join(project, "node_modules/@expose/client/dist/inspector");
  const html = await readFile(join(folder, "index.html"), "utf8");
  const files = [...html.matchAll(/"(\/assets\/[^"]+)"/g)].map(
    ([, path]) => path!,
  );
  expect(files.length).toBeGreaterThanOrEqual(3);
  for (const file of files)
    expect((await readFile(join(folder, file))).length).toBeGreaterThan(0);
});

test("a tunnel leads through both, from a key to a visitor's answer", async () => {
  const state = await mkdtemp(join(project, "state-"));
  const [sshPort, httpPort] = [await freePort(), await freePort()];
  const where = ["--config", "none", "--state-dir", state];
  const key = join(project, "id_ed25519");
  await inProject("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key);
  const added = await inProject(
    "node_modules/.bin/expose-edge",
    ...["keys", "add", ...where, "alice", `${key}.pub`],
  );
  expect(added, added.stderr).toMatchObject({ code: 0 });

  const edge = startProgram(
    "node_modules/.bin/expose-edge",
    [
      ...["serve", ...where, "--listen", `127.0.0.1:${httpPort}`],
      ...["--ingress-embedded-listen", `127.0.0.1:${sshPort}`],
      ...["--admin-enabled", "false"],
    ],
    { cwd: project },
  );
  onTestFinished(() => stop(edge));
  await edge.waitFor(/\bready\b/);

  const upstream = await startUpstream(hello);
  const client = startProgram(
    "node_modules/.bin/expose",
    [
      ...[String(upstream.port), "--subdomain", "packed", "--identity", key],
      ...["--server", `tunnel@127.0.0.1:${sshPort}`, "--accept-new-host-key"],
    ],
    // No key, configuration or known host of whoever runs the tests.
    { cwd: project, env: { PATH: process.env["PATH"], HOME: project } },
  );
  onTestFinished(() => stop(client));
  const [url] = await client.waitFor(/^http:\S+$/m);
  expect(url).toBe(`http://packed.localhost:${httpPort}`);
  expect((await visit(url, "/from/afar")).text).toBe("hello /from/afar");
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
