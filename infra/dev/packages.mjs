// Programs that the tests need and npm does not bring: the one list. Installs them on Debian, says elsewhere what is missing.
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import { run } from "./run.mjs";

/** Debian package, a program of it, and what needs it. */
const neededPackages = [
  { name: "chromium", program: "chromium", use: "the inspector's page" },
  { name: "curl", program: "curl", use: "requests copied as curl" },
  { name: "httpie", program: "http", use: "requests copied as HTTPie" },
  { name: "openssh-server", program: "sshd", use: "the openssh ingress" },
  { name: "openssh-client", program: "ssh", use: "plain ssh clients, agents" },
  { name: "perl-base", program: "perl", use: "the scripts of infra/sshd" },
  { name: "procps", program: "ps", use: "what a process costs" },
  { name: "python3", program: "python3", use: "a single-threaded upstream" },
  { name: "tmux", program: "tmux", use: "a real terminal" },
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
  const missing = neededPackages.filter((entry) => !find(entry.program));
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
  const still = missing.filter((entry) => !find(entry.program));
  if (still.length > 0)
    throw new Error(
      `apt-get did not bring ${still.map(({ name }) => name).join(", ")}; its messages stand above.`,
    );
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
