// A Debian 12 from nothing in a temporary folder, with namespaces of its own: what runs in it cannot outlive it, and its
// ports are not this machine's.
import { execFileSync, spawn } from "node:child_process";
import {
  copyFileSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

/** What this machine's npm trusts beside the usual, as behind a company's proxy. */
const EXTRA_CA = process.env["NODE_EXTRA_CA_CERTS"];

/** Where the empty Debian stands in for the names of the page. */
const HOSTS = `127.0.0.1 localhost tunnel.example.com hello.tunnel.example.com\n`;

/**
 * Makes the system. Packages come from the mirror that this machine itself uses.
 *
 * @param {AbortSignal} signal gives up while it is being made
 * @returns {Promise<{
 *   root: string,
 *   start(user: string, script: string, options?: { online?: boolean, input?: string }): import("node:child_process").ChildProcess,
 *   close(): Promise<void>,
 * }>}
 */
export async function createDebian(signal) {
  const folder = mkdtempSync(join(tmpdir(), "expose-vps-"));
  const root = join(folder, "root");
  let holder;
  let closing;
  try {
    await debootstrap(root, signal);
    furnish(root);
    holder = await holdNamespaces(root);
  } catch (error) {
    rmSync(folder, { recursive: true, force: true });
    throw error;
  }

  return {
    root,
    start(user, script, { online = false, input } = {}) {
      const home = user === "root" ? "/root" : `/home/${user}`;
      const child = spawn(
        "nsenter",
        [
          ...["--target", String(holder.pid), "--mount", "--pid"],
          ...(online ? [] : ["--net"]),
          ...["chroot", `--userspec=${user}:${user}`, root],
          ...["env", "-i", `HOME=${home}`, `USER=${user}`, `TERM=dumb`],
          // On a real machine a version manager or sudo takes care of where npm puts programs.
          `PATH=${home}/.local/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin`,
          ...(user === "root" ? [] : [`npm_config_prefix=${home}/.local`]),
          ...[
            "DEBIAN_FRONTEND=noninteractive",
            `npm_config_registry=${registry()}`,
          ],
          ...(EXTRA_CA ? ["NODE_EXTRA_CA_CERTS=/etc/extra-ca.pem"] : []),
          // Without --norc it takes the pipe for a remote login and reads the account's own settings.
          ...["bash", "--norc", "-euo", "pipefail", "-c", `cd; ${script}`],
        ],
        { stdio: ["pipe", "pipe", "pipe"] },
      );
      child.stdin.on("error", () => {});
      child.stdin.end(input ?? "");
      return child;
    },
    close() {
      closing ??= (async () => {
        // The first process of a pid namespace takes all others with it, and the last one the mounts.
        const gone = new Promise((done) => holder.unshare.once("close", done));
        if (holder.unshare.kill("SIGKILL")) await gone;
        rmSync(folder, { recursive: true, force: true });
      })();
      return closing;
    },
  };
}

async function debootstrap(root, signal) {
  // Less than what any server has, so that nothing of the page leans on more; systemd for its tools alone.
  const options = ["--variant=minbase", "--include=systemd", "bookworm"];
  // It mounts things; in a namespace of its own they go away with it, however it ends.
  const command = ["--mount", "debootstrap", ...options, root, findMirror()];
  const child = spawn("unshare", command, {
    stdio: ["ignore", "ignore", "inherit"],
    // It has helpers, which a signal to itself would not reach.
    detached: true,
  });
  // Without a number it was never started.
  const end = () => child.pid && process.kill(-child.pid, "SIGKILL");
  signal.addEventListener("abort", end);
  const status = await new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", resolve);
  });
  signal.removeEventListener("abort", end);
  if (status !== 0) throw new Error("debootstrap failed.");
}

function findMirror() {
  const folder = "/etc/apt/sources.list.d";
  const files = [
    "/etc/apt/sources.list",
    ...readdirSync(folder).map((name) => join(folder, name)),
  ];
  for (const file of files) {
    let text = "";
    try {
      text = readFileSync(file, "utf8");
    } catch {
      continue;
    }
    const url =
      /^URIs: (\S+)/m.exec(text)?.[1] ??
      /^deb (?:\[.*\] )?(https?:\S+) \S+ main/m.exec(text)?.[1];
    if (url && /debian\/?$/.test(url)) return url;
  }
  throw new Error("No mirror of Debian's packages in /etc/apt.");
}

const registry = () =>
  execFileSync("npm", ["config", "get", "registry"], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "ignore"],
  }).trim();

// What a VPS has and this does not, and Node, whose packages for Debian 12 come from elsewhere.
function furnish(root) {
  writeFileSync(join(root, "etc/hosts"), HOSTS);
  copyFileSync("/etc/resolv.conf", join(root, "etc/resolv.conf"));
  if (EXTRA_CA) copyFileSync(EXTRA_CA, join(root, "etc/extra-ca.pem"));
  // Packages must not start services here: there is no init.
  writeFileSync(join(root, "usr/sbin/policy-rc.d"), "#!/bin/sh\nexit 101\n", {
    mode: 0o755,
  });
  copyFileSync(process.execPath, join(root, "usr/local/bin/node"));
  const npm = realpathSync(
    execFileSync("sh", ["-c", "command -v npm"], { encoding: "utf8" }).trim(),
  );
  const modules = join(root, "usr/local/lib/node_modules");
  mkdirSync(modules, { recursive: true });
  cpSync(dirname(dirname(npm)), join(modules, "npm"), { recursive: true });
  symlinkSync(
    "../lib/node_modules/npm/bin/npm-cli.js",
    join(root, "usr/local/bin/npm"),
  );
}

async function holdNamespaces(root) {
  const script = `
    mount -t proc proc "${root}/proc"
    mount -t devpts devpts "${root}/dev/pts" -o newinstance,ptmxmode=0666
    ln -sf pts/ptmx "${root}/dev/ptmx"
    ip link set lo up
    echo ready
    exec sleep infinity`;
  const unshare = spawn(
    "unshare",
    [
      ...["--mount", "--net", "--pid", "--fork", "--kill-child"],
      ...["sh", "-ec", script],
    ],
    { stdio: ["ignore", "pipe", "inherit"] },
  );
  await new Promise((resolve, reject) => {
    unshare.stdout.once("data", resolve);
    unshare.once("close", () => reject(new Error("unshare failed.")));
  });
  const children = readFileSync(
    `/proc/${unshare.pid}/task/${unshare.pid}/children`,
    "utf8",
  );
  return { unshare, pid: Number(children.trim()) };
}
