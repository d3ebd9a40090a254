// How long people wait: for the program, for the first answer through the URL, for the tunnel to be back.
import { once } from "node:events";
import { createServer, type AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { ask, waitUntilServed } from "../load/ask.ts";
import { startOrigin } from "../load/origin.ts";
import type { Setup, Subject, Workload } from "../model.ts";
import { CLI, CODE_CACHE_ENV, HIDE_ADDON } from "../paths.ts";
import { createKey } from "../setups/ssh-key.ts";
import { run, startProgram, stop } from "../../harness/processes.ts";

const POLL_MS = 2;
// When a client has kept its compiled code (packages/client/src/cli/launch.ts).
const LASTING_MS = 4_000;

/** From the start of the client's process. */
const start: Workload = {
  name: "start",
  about: "from starting the client to the first 200 through its URL",
  unit: "ms",
  better: "less",
  setups: ["ssh-N", "ssh", "embedded-ssh", "embedded", "openssh"],
  rounds: 7,
  async start(setup, world) {
    const origin = await startOrigin("static", world.laptop);
    const server = await setup.open(world);
    // As with people: this is not the first tunnel that they open. One that lasts leaves its compiled code.
    const earlier = await server.connect(origin.port, "bench");
    await waitUntilServed(earlier.target);
    await sleep(LASTING_MS);
    await earlier.close();
    await waitUntilGone(earlier.target);
    return {
      async sample() {
        const startedAt = performance.now();
        const link = await server.connect(origin.port, "bench");
        try {
          const servedAt = await waitUntilServed(link.target, {
            pauseMs: POLL_MS,
          });
          return { value: servedAt - startedAt };
        } finally {
          await link.close();
          await waitUntilGone(link.target);
        }
      },
      async close() {
        await server.close();
        await origin.close();
      },
    };
  },
};

/** The same over a WAN. */
const wanStart: Workload = {
  ...start,
  name: "wan-start",
  about: "from starting the client to the first 200 through its URL, at 50 ms",
  wan: { delayMs: 25, mbitPerS: 100, mtu: 1_500 },
};

const recover: Workload = {
  name: "recover",
  about:
    "from kill -9 of the processes that SSH connections end in (started again at once) to the next 200",
  unit: "ms",
  better: "less",
  setups: ["openssh", "embedded"],
  rounds: 5,
  async start(setup, world) {
    const origin = await startOrigin("static", world.laptop);
    const server = await setup.open(world);
    const link = await server.connect(origin.port, "bench");
    return {
      async sample() {
        if (!server.crash)
          throw new Error(`${setup.name} cannot be crashed on purpose`);
        await waitUntilServed(link.target).catch((error: unknown) => {
          throw new Error(`${String(error)}\n${link.output()}`);
        });
        const startedAt = performance.now();
        await server.crash();
        return {
          value:
            (await waitUntilServed(link.target, { pauseMs: 10 })) - startedAt,
        };
      },
      async close() {
        await link.close();
        await server.close();
        await origin.close();
      },
    };
  },
};

/** The command line alone, against what Node itself takes. */
const cli: Workload = {
  name: "cli",
  about: "`expose --version`, next to `node -e 0`",
  unit: "ms",
  better: "less",
  setups: ["node", "version", "version-js"],
  rounds: 11,
  start: async (setup): Promise<Subject> => {
    const args = commandOf(setup);
    const env = { ...process.env, ...CODE_CACHE_ENV };
    if (args.includes(CLI)) await leaveCompiledCode(env);
    return {
      async sample() {
        const startedAt = performance.now();
        const { code, stderr } = await run(process.execPath, args, { env });
        if (code !== 0) throw new Error(`ended with ${code}: ${stderr}`);
        return { value: performance.now() - startedAt };
      },
      close: async () => {},
    };
  },
};

/** Has a client wait for a server that says nothing. */
async function leaveCompiledCode(env: NodeJS.ProcessEnv): Promise<void> {
  const mute = createServer((socket) => socket.on("error", () => {}));
  mute.listen(0, "127.0.0.1");
  await once(mute, "listening");
  const { port } = mute.address() as AddressInfo;
  const waiting = startProgram(
    process.execPath,
    [
      ...[CLI, "exec", "--server", `me@127.0.0.1:${port}`],
      ...["--identity", createKey("bench").file, "--", "true"],
    ],
    { env },
  );
  await sleep(LASTING_MS);
  await stop(waiting);
  mute.close();
}

const commands: Readonly<Record<string, readonly string[]>> = {
  node: ["-e", "0"],
  version: [CLI, "--version"],
  "version-js": ["--require", HIDE_ADDON, CLI, "--version"],
};

const commandOf = (setup: Setup): readonly string[] => commands[setup.name]!;

/** Not ways for requests, but things to compare all the same. */
export const commandSetups: readonly Setup[] = Object.keys(commands).map(
  (name) => ({
    name,
    about: `\`node ${commands[name]!.map((arg) => arg.split("/").at(-1)).join(" ")}\``,
    missing: () => undefined,
    open: () => Promise.reject(new Error(`${name} carries no requests`)),
  }),
);

async function waitUntilGone(target: Parameters<typeof ask>[0]): Promise<void> {
  for (let tries = 0; tries < 500; tries++) {
    const answer = await ask(target, { timeoutMs: 1_000 }).catch(
      () => undefined,
    );
    if (answer?.status !== 200) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error("the tunnel is still there after its client was killed");
}

export const startUpWorkloads: readonly Workload[] = [
  start,
  wanStart,
  recover,
  cli,
];
