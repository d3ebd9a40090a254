// Programs that the tests need and npm does not bring: the one list. Installs them on Debian, says elsewhere what is missing.
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import { run } from "./run.mjs";

/** Debian package, a program of it, what needs it, and what its `-h` must say where other programs bear the same name. */
export const neededPackages = [
  { name: "openssh-server", program: "sshd", use: "the openssh ingress" },
  { name: "openssh-client", program: "ssh", use: "plain ssh clients, agents" },
  {
    name: "netcat-openbsd",
    program: "nc",
    help: /-\S*U/,
    use: "the openssh ingress's control channel (nc -U)",
  },
  { name: "python3", program: "python3", use: "a single-threaded upstream" },
];

// sshd lives where ordinary users' PATH does not lead.
const FOLDERS = [
  ...(process.env.PATH ?? "").split(delimiter),
  "/usr/local/sbin",
  "/usr/sbin",
  "/sbin",
];

/** @throws when something is missing and cannot be installed; the message says exactly what to do */
export async function installPackages() {
  const missing = neededPackages.filter((entry) => !isThere(entry));
  if (missing.length === 0) return;
  const names = missing.map(({ name }) => name);
  const say = missing
    .map(
      ({ name, program, use }) => `  ${program} (Debian: ${name}) for ${use}`,
    )
    .join("\n");
  const asRoot = findRoot();
  if (!find("apt-get") || !asRoot)
    throw new Error(
      `The tests need programs that are not installed:\n${say}\nInstall them${find("apt-get") ? ` with: sudo apt-get install ${names.join(" ")}` : ""}, then run this again.`,
    );
  console.log(`installing what the tests need:\n${say}`);
  const env = { DEBIAN_FRONTEND: "noninteractive" };
  const apt = [...asRoot, "apt-get", "-q", "-y"];
  await run([...apt, "update"], { env });
  await run([...apt, "install", "--no-install-recommends", ...names], { env });
  const still = missing.filter((entry) => !isThere(entry));
  if (still.length > 0)
    throw new Error(
      `apt-get did not bring ${still.map(({ name }) => name).join(", ")}; its messages stand above.`,
    );
}

function isThere({ program, help }) {
  const path = find(program);
  if (!path) return false;
  if (!help) return true;
  const { stdout, stderr } = spawnSync(path, ["-h"], { encoding: "utf8" });
  return help.test(`${stdout}${stderr}`);
}

const find = (program) =>
  FOLDERS.map((folder) => join(folder, program)).find((path) =>
    existsSync(path),
  );

/** What to put in front of a command that needs root; undefined when we cannot become root without a password. */
function findRoot() {
  if (process.getuid?.() === 0) return [];
  if (!find("sudo")) return undefined;
  const { status } = spawnSync("sudo", ["-n", "true"], { stdio: "ignore" });
  return status === 0 ? ["sudo", "-n"] : undefined;
}
