// What bundling must not break: the native addon is found, and help comes without loading SSH.
// one ingress only: none, no session is opened
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { run } from "../harness/processes.ts";

const ROOT = join(import.meta.dirname, "../..");
const CLI = join(ROOT, "packages/client/dist/cli.cjs");

interface DoctorReport {
  readonly checks: readonly {
    readonly name: string;
    readonly detail: string;
  }[];
}

/** Runs the CLI for somebody who has no files, and says on stderr what native addons it asked for. */
async function runCli(...args: string[]) {
  const home = mkdtempSync(join(tmpdir(), "expose-bundle-"));
  onTestFinished(() => rmSync(home, { recursive: true }));
  const spy = join(home, "spy.cjs");
  writeFileSync(
    spy,
    `const Module = require("node:module");
     const load = Module._load;
     Module._load = function (request, ...rest) {
       if (request.endsWith(".node")) process.stderr.write("addon " + request + "\\n");
       return load.call(this, request, ...rest);
     };`,
  );
  return run(process.execPath, ["--require", spy, CLI, ...args], {
    env: { PATH: process.env["PATH"], HOME: home },
  });
}

test("the client uses ssh2's native addon when the installed ssh2 does", async () => {
  const { default: crypto } = (await import("ssh2/lib/protocol/crypto.js")) as {
    default: { bindingAvailable: boolean };
  };
  const { stdout, stderr } = await runCli("doctor", "--json");
  expect(stderr).toContain("addon ssh2/lib/protocol/crypto/build/Release/");
  const { checks } = JSON.parse(stdout) as DoctorReport;
  const detail = checks.find(({ name }) => name === "crypto")?.detail;
  if (crypto.bindingAvailable) expect(detail).toBe("native addon of ssh2");
  else expect(detail).not.toBe("native addon of ssh2");
});

test.each(["--help", "--version", "http --help"])(
  "`expose %s` loads no SSH",
  async (line) => {
    const { code, stdout, stderr } = await runCli(...line.split(" "));
    expect(code).toBe(0);
    expect(stdout).not.toBe("");
    expect(stderr).toBe("");
  },
);
