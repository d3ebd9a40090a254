// The demo behind `npm start`: an edge with throw-away keys, a tunnel through it, and what happens in it, until Ctrl-C.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openSession, startDebugServer } from "@expose/client";
import { createEdge, loadConfig } from "@expose/edge";
import ssh2 from "ssh2";
import {
  greeting,
  inspecting,
  showRequest,
  showResult,
} from "./demo-output.mjs";
import { findLan } from "./lan.mjs";

const NAME = "demo";
// The edge's own default. A second demo, or whatever has it already, gets a free port instead.
const PORT = 7780;
// Ctrl-C ends everything within a second, whatever still runs.
const GRACE_MS = 700;

/**
 * Runs until SIGINT or SIGTERM; what was started is closed before it resolves or rejects.
 *
 * @param {{ target?: string, lan: boolean, lanAddress?: string, lanDomain?: string }} options
 */
export async function runDemo({ target, lan, lanAddress, lanDomain }) {
  const network = lan
    ? findLan({ address: lanAddress, domain: lanDomain })
    : undefined;
  const interrupted = waitForInterrupt();
  const folder = mkdtempSync(join(tmpdir(), "expose-demo-"));
  process.once("exit", () => rmSync(folder, { recursive: true, force: true }));
  const cleanUps = [];
  try {
    const identity = makeIdentity(folder);
    const { edge, port } = await startEdge(folder, network);
    cleanUps.push(() => edge.close(GRACE_MS / 2));
    const debugServer =
      target === undefined ? await startDebugServer(showRequest) : undefined;
    if (debugServer) cleanUps.push(() => debugServer.close());
    const session = await openSession({
      server: `${NAME}@127.0.0.1:${edge.addresses.ssh[0].port}`,
      identity,
      // The edge on the other end is ours, a moment old, and reached over loopback.
      acceptNewHostKey: true,
      knownHosts: [join(folder, "known_hosts")],
      sshConfig: "none",
      // A demo leaves nothing behind, so it keeps no history.
      inspect: { stateFolder: folder, history: { enabled: false } },
    });
    cleanUps.push(() => session.close());
    session.on("inspecting", ({ url }) => console.log(inspecting(url)));
    const tunnel = await session.open({
      upstream: target ?? String(debugServer.port),
      name: NAME,
    });
    tunnel.on("request", showResult);
    tunnel.on("hint", ({ message, fix }) => console.log(`${message} ${fix}`));
    console.log(greeting({ tunnel, target, port, usualPort: PORT, network }));
    await Promise.race([interrupted, tunnel.closed]);
  } finally {
    for (const cleanUp of cleanUps.reverse()) await cleanUp();
  }
}

/** @returns path of a private key, whose public half stands in the users file of the edge to be started */
function makeIdentity(folder) {
  const { private: secret, public: line } = generateKey();
  writeFileSync(join(folder, "users"), `${line} ${NAME}\n`, { mode: 0o600 });
  writeFileSync(join(folder, "key"), secret, { mode: 0o600 });
  return join(folder, "key");
}

// One key in 256 is unreadable: ssh2's lib/keygen.js strips zero bytes that belong to it.
function generateKey() {
  const pair = ssh2.utils.generateKeyPairSync("ed25519");
  const readable = !(ssh2.utils.parseKey(pair.private) instanceof Error);
  return readable ? pair : generateKey();
}

async function startEdge(folder, network) {
  const tryPort = async (port) => {
    const edge = createEdge(
      loadConfig({
        values: {
          domain: network ? [network.domain, "localhost"] : ["localhost"],
          listen: [network ? `*:${port}` : `127.0.0.1:${port}`],
          "state-dir": folder,
          // For networks whose resolver drops answers with local addresses: http://192.168.1.5:7780 leads here too.
          ...(network && { "default-name": NAME }),
          ingress: { embedded: { listen: ["127.0.0.1:0"] } },
          admin: { enabled: false },
          "access-log": { format: "off" },
          log: { level: "warn" },
        },
      }),
    );
    await edge.start();
    return { edge, port: edge.addresses.http[0].port };
  };
  try {
    return await tryPort(PORT);
  } catch (error) {
    if (error.code !== "listen-failed") throw error;
    return tryPort(0);
  }
}

function waitForInterrupt() {
  return new Promise((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"])
      process.on(signal, () => {
        resolve();
        // By then closing has had its time; also the answer to a second Ctrl-C while something hangs.
        setTimeout(() => process.exit(), GRACE_MS).unref();
      });
  });
}
