import { Writable } from "node:stream";
import { expect, test } from "vitest";
import { ExposeError } from "../../errors.ts";
import type { CliIo } from "../io.ts";
import { reportError } from "./error.ts";

function record(env: Record<string, string> = {}) {
  const written = { stdout: "", stderr: "" };
  const sink = (name: "stdout" | "stderr") =>
    new Writable({
      write(chunk, _encoding, done) {
        written[name] += String(chunk);
        done();
      },
    });
  const io: CliIo = {
    stdin: process.stdin,
    stdout: sink("stdout"),
    stderr: sink("stderr"),
    env,
    openScreen: () => {
      throw new Error("There is no screen.");
    },
    onExit: () => () => {},
    now: () => new Date(Date.UTC(2026, 10, 22)),
  };
  return { io, written };
}

test("an error is one message with its code, and its exit status", () => {
  const { io, written } = record();
  const error = new ExposeError(
    "name-refused",
    'The name "shop" is taken.\nTry another.',
  );
  expect(reportError(error, false, io)).toBe(14);
  expect(written.stderr).toBe(
    'expose: The name "shop" is taken. [name-refused]\nTry another.\n',
  );
  expect(written.stdout).toBe("");
});

test("text of a server cannot drive the terminal through an error", () => {
  const { io, written } = record();
  reportError(
    new ExposeError("tunnel-refused", "\x1b]0;owned\x07no"),
    false,
    io,
  );
  expect(written.stderr).toBe(
    "expose: \\x1b]0;owned\\x07no [tunnel-refused]\n",
  );
});

test("with --json the error is an event too", () => {
  const { io, written } = record();
  reportError(new ExposeError("auth-failed", "No."), true, io);
  expect(JSON.parse(written.stdout)).toMatchObject({
    event: "error",
    code: "auth-failed",
    exit: 12,
  });
});

test("anything unexpected is called a bug, and its stack is shown on demand only", () => {
  const bug = new TypeError("x is not a function");
  const { io, written } = record();
  expect(reportError(bug, false, io)).toBe(70);
  expect(written.stderr).toContain(
    "This is a bug in expose: x is not a function.",
  );
  expect(written.stderr).toContain("[internal-error]");
  expect(written.stderr).not.toContain("error.test.ts");
  const debug = record({ EXPOSE_DEBUG: "1" });
  reportError(bug, false, debug.io);
  expect(debug.written.stderr).toContain("error.test.ts");
});

test("EXPOSE_DEBUG shows what caused an error", () => {
  const { io, written } = record({ EXPOSE_DEBUG: "1" });
  const error = new ExposeError("server-unreachable", "No way.", {
    cause: new Error("connect ECONNREFUSED"),
  });
  reportError(error, false, io);
  expect(written.stderr).toContain("caused by: Error: connect ECONNREFUSED");
});
