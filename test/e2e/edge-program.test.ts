// one ingress only: none, this is about the program: its statuses, its signals and its output
// `expose-edge` as systemd or a person starts it.
import type { StdioOptions } from "node:child_process";
import { once } from "node:events";
import {
  mkdtempSync,
  openSync,
  closeSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { request, type IncomingMessage } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import {
  run,
  startProgram,
  stop,
  type RunningProgram,
} from "../harness/processes.ts";

const PROGRAM = join(import.meta.dirname, "../../packages/edge/dist/main.js");

test("SIGTERM ends it with status 0, and stdout holds the access log alone", async () => {
  const { edge, port } = await startEdge();
  expect(await get(port, "/x?token=s3cret")).toBe(404);
  await edge.waitFor(/"url":"nobody\.localhost[^"]*\/x\?token=\[redacted\]"/);
  edge.kill("SIGTERM");
  expect(await edge.exited).toEqual({ code: 0, signal: null });
  for (const line of edge.stdout.trim().split("\n"))
    expect(JSON.parse(line)).toMatchObject({ status: 404 });
  expect(edge.stderr).toMatch(/ info {2}stopped\n$/);
});

test("a second signal ends it at once, with a running request cut off", async () => {
  const { edge, port } = await startEdge(["--timeouts-headers", "1h"]);
  // The head never ends: a graceful stop would wait for the visitor.
  const call = request({
    port,
    host: "127.0.0.1",
    method: "POST",
    headers: { "content-length": 10, host: "nobody.localhost" },
  });
  call.on("error", () => {});
  call.write("half");
  onTestFinished(() => void call.destroy());
  await once(call, "response");
  edge.kill("SIGTERM");
  // Signals of one kind do not queue: two at once may be one.
  await edge.waitFor(/ stopping /);
  edge.kill("SIGTERM");
  // As a shell reports a process that died of it.
  expect(await edge.exited).toEqual({ code: 143, signal: null });
});

test("a reader of stdout that goes away ends nothing", async () => {
  const { edge, port } = await startEdge();
  expect(await get(port, "/")).toBe(404);
  await edge.waitFor(/"status":404/);
  edge.child.stdout!.destroy();
  for (let i = 0; i < 3; i++) expect(await get(port, "/")).toBe(404);
  await edge.waitFor(
    / warn {2}access log cannot keep up or be written .*EPIPE/,
  );
  expect(await get(port, "/")).toBe(404);
  edge.kill("SIGTERM");
  expect(await edge.exited).toEqual({ code: 0, signal: null });
});

test("a reader of stderr that goes away ends nothing", async () => {
  const { edge, port } = await startEdge(["--log-level", "debug"]);
  edge.child.stderr!.destroy();
  for (let i = 0; i < 3; i++) expect(await get(port, "/")).toBe(404);
  edge.kill("SIGHUP");
  expect(await get(port, "/")).toBe(404);
  edge.kill("SIGTERM");
  expect(await edge.exited).toEqual({ code: 0, signal: null });
});

test("a full disk under stdout ends nothing", async () => {
  const full = openSync("/dev/full", "a");
  onTestFinished(() => closeSync(full));
  const { edge, port } = await startEdge([], ["ignore", full, "pipe"]);
  expect(await get(port, "/")).toBe(404);
  await edge.waitFor(
    / warn {2}access log cannot keep up or be written .*ENOSPC/,
  );
  expect(await get(port, "/")).toBe(404);
  edge.kill("SIGTERM");
  expect(await edge.exited).toEqual({ code: 0, signal: null });
});

test("a reader of stdout that never reads does not hold up its end", async () => {
  const { edge, port } = await startEdge([
    "--access-log-value-length",
    "16384",
  ]);
  edge.child.stdout!.pause();
  const padding = "x".repeat(16_000);
  for (let i = 0; i < 60; i++)
    expect(await get(port, `/${i}`, padding)).toBe(404);
  const started = performance.now();
  edge.kill("SIGTERM");
  await once(edge.child, "exit");
  expect(performance.now() - started).toBeLessThan(4_000);
});

test("it shows nothing of a broken start on stdout, and one message with code and status", async () => {
  const { port } = await startEdge();
  const second = await run(
    process.execPath,
    [PROGRAM, ...flags(useFolder()), "--listen", `127.0.0.1:${port}`],
    { env: {} },
  );
  expect(second.code).toBe(4);
  expect(second.stdout).toBe("");
  expect(second.stderr).toMatch(/^expose-edge: .*\[listen-failed\]\n$/m);
});

test("keys go from ssh-keygen into the users file and out again", async () => {
  const folder = useFolder();
  const key = join(folder, "key");
  await run("ssh-keygen", [
    "-q",
    "-t",
    "ed25519",
    "-N",
    "",
    "-C",
    "",
    "-f",
    key,
  ]);
  const keys = (...args: string[]): ReturnType<typeof run> =>
    run(
      process.execPath,
      [
        PROGRAM,
        "keys",
        ...args,
        "--config",
        "none",
        "--users",
        join(folder, "users"),
      ],
      { env: {} },
    );
  expect(await keys("add", "alice", `${key}.pub`)).toMatchObject({ code: 0 });
  const { stdout } = await keys("list", "--json");
  const [alice] = JSON.parse(stdout) as [{ keys: [{ fingerprint: string }] }];
  const { stdout: shown } = await run("ssh-keygen", ["-l", "-f", `${key}.pub`]);
  expect(alice.keys[0].fingerprint).toBe(shown.split(" ")[1]);
  expect(await keys("remove", alice.keys[0].fingerprint)).toMatchObject({
    code: 0,
  });
  expect(await keys("remove", "alice")).toMatchObject({ code: 7 });
});

test("it prints the schema through a pipe that closes early without a word", async () => {
  const { code, stderr } = await run("sh", [
    "-c",
    `"$0" "$1" schema | head -c 10; exit 0`,
    process.execPath,
    PROGRAM,
  ]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
});

async function startEdge(
  more: readonly string[] = [],
  stdio?: StdioOptions,
): Promise<{ edge: RunningProgram; port: number }> {
  const edge = startProgram(
    process.execPath,
    [PROGRAM, ...flags(useFolder()), "--listen", "127.0.0.1:0", ...more],
    { env: {}, ...(stdio && { stdio }) },
  );
  onTestFinished(() => stop(edge));
  const [, port] = await edge.waitFor(/ ready .*http=127\.0\.0\.1:(\d+)/);
  return { edge, port: Number(port) };
}

function flags(folder: string): string[] {
  writeFileSync(join(folder, "users"), "", { mode: 0o600 });
  return [
    "serve",
    ...["--config", "none"],
    ...["--state-dir", folder],
    ...["--ingress-embedded-listen", "127.0.0.1:0"],
    ...["--admin-listen", "127.0.0.1:0"],
  ];
}

function useFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "edge-program-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  return folder;
}

async function get(port: number, path: string, padding = ""): Promise<number> {
  const call = request({
    port,
    host: "127.0.0.1",
    path,
    agent: false,
    headers: {
      host: "nobody.localhost",
      ...(padding && { "x-padding": padding }),
    },
  });
  call.end();
  const [response] = (await once(call, "response")) as [IncomingMessage];
  response.resume();
  await once(response, "end");
  return response.statusCode!;
}
