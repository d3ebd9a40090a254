// Tries docs/vps.md in a Debian 12 made from nothing: `sudo node infra/vps/try.mjs`. It takes some minutes and a mirror of
// Debian's packages. The page is that of the working tree, what it installs is the last commit.
import { execFileSync, spawn } from "node:child_process";
import {
  copyFileSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inRoot } from "../dev/paths.mjs";
import { createDebian } from "./debian.mjs";
import { readSteps } from "./steps.mjs";
import { readUnit } from "./units.mjs";

/** What the page promises of a block's output. The first text says which block is meant. */
const PROMISES = [
  ["expose-edge version", /\d+\.\d+\.\d+/],
  ["ls -ld", /drwx--x--x.* expose expose .*\n.*drwx--s---.* expose tunnel /],
  ["sshd -t", /^256 SHA256:\S+ tunnel\.example\.com \(ED25519\)\s*$/],
  ["keys list", /alice/],
  ["/readyz", /ready|ok/i],
  ["expose login", /You are {5}alice/],
  ["expose ./site", /http:\/\/hello\.tunnel\.example\.com/],
  ["hello.tunnel.example.com/", /hello from my machine/],
];

/** Of a block's output, so much is shown. */
const MAX_LINES = 12;

const UNITS = ["expose-edge", "expose-sshd", "expose-sshd-reaper"];
const READY = {
  "expose-edge": /\bready\b/,
  "expose-sshd": /Server listening/,
  "expose-sshd-reaper": undefined,
};

if (process.getuid() !== 0) {
  console.error("A Debian is made, entered and left as root: use sudo.");
  process.exit(2);
}
const clone = mkdtempSync(join(tmpdir(), "expose-clone-"));
const running = new Map();
const interrupted = new AbortController();
for (const signal of ["SIGINT", "SIGTERM"])
  process.on(signal, () => interrupted.abort());
let debian;
let fingerprint;
try {
  console.log("debootstrap bookworm");
  debian = await createDebian(interrupted.signal);
  // Whoever waits for a program inside hears of its end then.
  interrupted.signal.addEventListener("abort", () => void debian.close());
  for (const step of readSteps(readFileSync(inRoot("docs/vps.md"), "utf8")))
    await runStep(step);
  await expectGone();
  console.log("\nEvery block of docs/vps.md did what it says.");
} catch (error) {
  const { aborted } = interrupted.signal;
  console.error(`\n${aborted ? "interrupted" : error.message}`);
  for (const [name, { output }] of running)
    console.error(`\n--- ${name} ---\n${output()}`);
  process.exitCode = 1;
} finally {
  await debian?.close();
  rmSync(clone, { recursive: true, force: true });
}

async function runStep(step) {
  if (step.action === "start the units") return startUnits();
  if (step.action === "stop the units") return stopUnits();
  if (step.action) throw new Error(`Nobody knows how to ${step.action}.`);
  console.log(`\n[${step.place}, line ${step.line}]\n${step.commands}`);
  const began = Date.now();
  const output = await runCommands(step);
  for (const [text, pattern] of PROMISES)
    if (step.commands.includes(text) && !pattern.test(output))
      throw new Error(`docs/vps.md:${step.line}: no ${pattern} in:\n${output}`);
  const last = output.trimEnd().split("\n").slice(-MAX_LINES);
  console.log(last.map((text) => `  | ${text}`).join("\n"));
  console.log(`  ok, ${Date.now() - began} ms`);
  checkFingerprint(step.commands, output);
  if (step.commands.includes("keys remove")) await expectRevoked();
}

async function runCommands({ place, commands, online, terminal, stays, line }) {
  if (place === "clone") return cloneAndPack(commands);
  if (place === "machine" || commands.includes("alice.pub")) await makeAlice();
  const user = place === "server" ? "root" : "alice";
  const script = terminal
    ? `script --quiet --return --command ${quote(commands)} /dev/null`
    : commands;
  const child = debian.start(user, script, {
    online,
    input: terminal ? "yes\n" : "",
  });
  const program = follow(child, commands);
  if (stays) {
    running.set(commands, program);
    await program.says(/http:\/\//);
    return program.output();
  }
  const { code } = await program.ended;
  if (code !== 0)
    throw new Error(
      `docs/vps.md:${line}: status ${code}:\n${program.output()}`,
    );
  return program.output();
}

// Stands in for the clone on one's own machine and for scp.
async function cloneAndPack(commands) {
  execFileSync("git", ["clone", "--quiet", "--no-hardlinks", inRoot(), clone]);
  const child = spawn("bash", ["-euo", "pipefail", "-c", commands], {
    cwd: clone,
    stdio: ["ignore", "pipe", "pipe"],
  });
  const program = follow(child, "the build");
  if ((await program.ended).code !== 0) throw new Error(program.output());
  for (const name of readdirSync(clone))
    if (name.endsWith(".tgz"))
      copyFileSync(join(clone, name), join(debian.root, "root", name));
  return "";
}

// One's own machine is another account here.
async function makeAlice() {
  const script = `
    id alice >/dev/null 2>&1 && exit 0
    useradd --create-home --shell /bin/bash alice
    runuser -u alice -- ssh-keygen -q -t ed25519 -N '' -f /home/alice/.ssh/id_ed25519 < /dev/null
    cp /home/alice/.ssh/id_ed25519.pub /root/alice.pub
    install -o alice -g alice expose-client-*.tgz /home/alice`;
  const program = follow(
    debian.start(
      "root",
      `mkdir -p /etc/skel/.ssh; chmod 700 /etc/skel/.ssh; ${script}`,
    ),
    "alice",
  );
  if ((await program.ended).code !== 0) throw new Error(program.output());
}

async function startUnits() {
  console.log("\n[in place of systemctl]");
  const verify = follow(
    debian.start(
      "root",
      `install -m 644 systemd/*.service /etc/systemd/system/; systemd-analyze verify --man=no ${UNITS.map((name) => `/etc/systemd/system/${name}.service`).join(" ")}`,
    ),
    "systemd-analyze",
  );
  if ((await verify.ended).code !== 0 || verify.output().includes("expose-"))
    throw new Error(`The units are not right:\n${verify.output()}`);
  for (const name of UNITS) {
    const unit = readUnit(inRoot(`infra/systemd/${name}.service`));
    console.log(`  ${unit.main}`);
    const script = [...unit.before, unit.main].join("\n");
    const program = follow(debian.start("root", script), name);
    running.set(name, program);
    if (READY[name]) await program.says(READY[name]);
  }
}

async function stopUnits() {
  // In a pid namespace of their own, -1 means all of the trial's processes but the first.
  const killer = follow(debian.start("root", "kill -TERM -1 || true"), "kill");
  await killer.ended;
  for (const { ended } of running.values()) await ended;
}

// What a person is asked to compare.
function checkFingerprint(commands, output) {
  const seen = /SHA256:\S{43}/.exec(output)?.[0];
  if (commands.includes("sshd -t")) fingerprint = seen;
  if (commands.includes("expose login") && seen !== fingerprint)
    throw new Error(`The login shows ${seen}, the server has ${fingerprint}.`);
}

// The client ends for good, and says why.
async function expectRevoked() {
  const [name] = [...running.keys()].filter((key) =>
    key.includes("expose ./site"),
  );
  const began = Date.now();
  const { code } = await running.get(name).ended;
  console.log(
    `  the tunnel ended after ${Date.now() - began} ms with status ${code}`,
  );
  if (code !== 12) throw new Error(running.get(name).output());
}

async function expectGone() {
  const find = follow(
    debian.start(
      "root",
      "find / -xdev -name '*expose*' -not -path '/root/*' -not -path '/home/*' -not -path '/proc/*'",
    ),
    "find",
  );
  await find.ended;
  if (find.output().trim() !== "")
    throw new Error(`This was left behind:\n${find.output()}`);
}

function follow(child, name) {
  let text = "";
  const watchers = new Set();
  const add = (chunk) => {
    text += chunk;
    for (const watch of watchers) watch();
  };
  child.stdout.on("data", add);
  child.stderr.on("data", add);
  const ended = new Promise((resolve) =>
    child.once("close", (code) => resolve({ code })),
  );
  return {
    ended,
    output: () => text,
    says: (pattern) =>
      Promise.race([
        new Promise((resolve) => {
          const watch = () => pattern.test(text) && resolve(undefined);
          watchers.add(watch);
          watch();
        }),
        ended.then(() => {
          if (!pattern.test(text)) throw new Error(`${name} ended:\n${text}`);
        }),
      ]),
  };
}

function quote(text) {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
