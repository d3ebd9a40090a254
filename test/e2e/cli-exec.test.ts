// one ingress only: none, remote commands need nothing but a plain sshd
// `expose exec` against Debian's own sshd: streams, exit status, signals.
import { once } from "node:events";
import { expect, test } from "vitest";
import { runExpose, startExpose } from "../harness/cli.ts";
import { startPlainSshd } from "../harness/plain-sshd.ts";

test("stdout, stderr and the exit status are the command's own", async () => {
  const sshd = await startPlainSshd();
  const result = await runExpose(
    ["exec", "--server", sshd.server, "--", "echo out; echo err >&2; exit 42"],
    sshd.env,
  );
  expect(result).toEqual({ code: 42, stdout: "out\n", stderr: "err\n" });
});

test("words are joined by blanks, and the command keeps its own flags", async () => {
  const sshd = await startPlainSshd();
  const result = await runExpose(
    ["exec", "--server", sshd.server, "printf", "%s-", "a", "--json", "'b  c'"],
    sshd.env,
  );
  expect(result.stdout).toBe("a---json-b  c-");
  expect(result.code).toBe(0);
});

test("stdin reaches the command byte for byte, and its end too", async () => {
  const sshd = await startPlainSshd();
  const input = "line\n".repeat(200_000);
  const result = await runExpose(
    ["exec", "--server", sshd.server, "--", "cat; echo end"],
    sshd.env,
    { input },
  );
  expect(result.stdout).toBe(`${input}end\n`);
  expect(result.code).toBe(0);
});

test("output that nobody reads yet waits, and arrives whole", async () => {
  const sshd = await startPlainSshd();
  const expose = startExpose(
    [
      "exec",
      "--server",
      sshd.server,
      "--",
      "echo begun >&2; head -c 20000000 /dev/zero",
    ],
    sshd.env,
  );
  let bytes = 0;
  expose.child.stdout!.on("data", (chunk: Buffer) => (bytes += chunk.length));
  expose.child.stdout!.pause();
  await once(expose.child.stderr!, "data");
  expose.child.stdout!.resume();
  expect(await expose.exited).toEqual({ code: 0, signal: null });
  expect(bytes).toBe(20_000_000);
});

test("a command that stops reading does not hang on a stdin that stays open", async () => {
  const sshd = await startPlainSshd();
  const expose = startExpose(
    ["exec", "--server", sshd.server, "--", "head -c 1 >/dev/null; exit 3"],
    sshd.env,
    { stdio: ["pipe", "pipe", "pipe"] },
  );
  expose.child.stdin!.on("error", () => {});
  expose.child.stdin!.write("x");
  expect(await expose.exited).toEqual({ code: 3, signal: null });
});

test("the first Ctrl-C is passed on, and the command may take its time", async () => {
  const sshd = await startPlainSshd();
  const expose = startExpose(
    [
      "exec",
      "--server",
      sshd.server,
      "--",
      `exec bash -c 'trap "sleep 1.5; echo tidied; exit 7" INT; echo started; while :; do sleep 0.05; done'`,
    ],
    sshd.env,
  );
  await expose.waitFor(/started/);
  expose.kill("SIGINT");
  expect(await expose.exited).toEqual({ code: 7, signal: null });
  expect(expose.stdout).toBe("started\ntidied\n");
});

test("the second Ctrl-C ends at once", async () => {
  const sshd = await startPlainSshd();
  const expose = startExpose(
    [
      "exec",
      "--server",
      sshd.server,
      "--",
      `exec bash -c 'trap "echo no" INT; echo started; while :; do sleep 0.05; done'`,
    ],
    sshd.env,
  );
  await expose.waitFor(/started/);
  expose.kill("SIGINT");
  await expose.waitFor(/no\n/);
  expose.kill("SIGINT");
  expect(await expose.exited).toEqual({ code: 130, signal: null });
});

test("SIGTERM is passed on as such", async () => {
  const sshd = await startPlainSshd();
  const expose = startExpose(
    ["exec", "--server", sshd.server, "--", "echo started; exec sleep 60"],
    sshd.env,
  );
  await expose.waitFor(/started/);
  expose.kill("SIGTERM");
  expect(await expose.exited).toEqual({ code: 143, signal: null });
  expect(expose.stderr).toContain("ended by SIGTERM");
});

test("a reader that goes away ends it, as SIGPIPE would", async () => {
  const sshd = await startPlainSshd();
  const expose = startExpose(
    ["exec", "--server", sshd.server, "--", "yes"],
    sshd.env,
  );
  await expose.waitFor(/y\n/);
  expose.child.stdout!.destroy();
  expect(await expose.exited).toEqual({ code: 141, signal: null });
});

test("the end by a signal is reported as a shell does", async () => {
  const sshd = await startPlainSshd();
  const result = await runExpose(
    ["exec", "--server", sshd.server, "--", "kill -TERM $$"],
    sshd.env,
  );
  expect(result.code).toBe(143);
  expect(result.stderr).toContain("ended by SIGTERM");
});

test("a connection that is lost is no success", async () => {
  const sshd = await startPlainSshd();
  const expose = startExpose(
    ["exec", "--server", sshd.server, "--", "echo started; sleep 60"],
    sshd.env,
  );
  await expose.waitFor(/started/);
  await sshd.kill();
  expect(await expose.exited).toEqual({ code: 8, signal: null });
  expect(expose.stderr).toContain("[connection-lost]");
});
