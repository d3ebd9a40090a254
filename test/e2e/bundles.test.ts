// What bundling must not break: the native addon is found, help comes without loading SSH, and compiled code is kept.
// one ingress only: none, no session is opened
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  watch,
  writeFileSync,
} from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { run, startProgram, stop } from "../harness/processes.ts";

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

test("a run that lasts leaves its compiled code for the next one, which starts with it", async () => {
  const home = mkdtempSync(join(tmpdir(), "expose-bundle-"));
  onTestFinished(() => rmSync(home, { recursive: true }));
  const spy = join(home, "spy.cjs");
  writeFileSync(
    spy,
    `const vm = require("node:vm");
     vm.Script = class extends vm.Script {
       constructor(text, options) {
         super(text, options);
         const used = options.cachedData && !this.cachedDataRejected;
         process.stderr.write(used ? "compiled before\\n" : "compiled now\\n");
       }
     };`,
  );
  const env = { PATH: process.env["PATH"] ?? "", HOME: home };
  const version = () =>
    run(process.execPath, ["--require", spy, CLI, "--version"], { env });
  expect((await version()).stderr).toBe("compiled now\n");

  const listener = createServer();
  listener.listen(0, "127.0.0.1");
  await once(listener, "listening");
  onTestFinished(() => void listener.close());
  const { port } = listener.address() as AddressInfo;
  const key = join(home, "key");
  execFileSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", key]);
  // It waits for a greeting that does not come.
  const waiting = startProgram(
    process.execPath,
    [
      ...[CLI, "exec", "--server", `me@127.0.0.1:${port}`],
      ...["--identity", key, "--", "true"],
    ],
    { env },
  );
  onTestFinished(() => stop(waiting));
  const folder = join(home, ".cache/expose");
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const [name] = await new Promise<string[]>((resolve) => {
    const watcher = watch(folder, () => {
      const files = readdirSync(folder).filter((file) => !/\.\d+$/.test(file));
      if (files.length > 0) resolve(files);
    });
    onTestFinished(() => watcher.close());
  });
  expect(await version()).toMatchObject({
    code: 0,
    stderr: "compiled before\n",
  });

  // What is not V8's own is not run.
  writeFileSync(join(folder, name!), "not code", { mode: 0o600 });
  expect(await version()).toMatchObject({ code: 0, stderr: "compiled now\n" });
});

test("the program is in ASCII, as its launcher reads it", () => {
  const program = readFileSync(join(ROOT, "packages/client/dist/program.cjs"));
  expect(program.findIndex((byte) => byte > 0x7f)).toBe(-1);
});
