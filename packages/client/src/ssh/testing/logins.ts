// A sandbox with an sshd and a key that it accepts, and one call to log in to it or to others.
import { execFileSync } from "node:child_process";
import { afterAll, beforeAll, onTestFinished } from "vitest";
import { ExposeError } from "../../errors.ts";
import type { Prompt, SessionOptions } from "../../options.ts";
import { connectSsh, type ConnectOptions } from "../connection.ts";
import type { SshConnection } from "../ssh-connection.ts";
import { createSandbox, type TestKey, type TestSshd } from "./sandbox.ts";

/** What a login may be told. */
export type LoginOptions = ConnectOptions &
  SessionOptions & { env?: NodeJS.ProcessEnv };

/** Starts an sshd for all tests of a file. */
export function useLogins() {
  const sandbox = createSandbox();
  let sshd: TestSshd;
  let key: TestKey;
  beforeAll(async () => {
    key = sandbox.key();
    sshd = await sandbox.sshd({
      hostKeyTypes: ["ed25519", "rsa"],
      authorized: [key],
    });
  });
  afterAll(() => sandbox.dispose());

  /** A known_hosts file with the host keys of these servers. */
  function knownHosts(...servers: TestSshd[]): string[] {
    const lines = servers.flatMap(({ port, hostKeys }) =>
      Object.values(hostKeys).map(
        ({ line }) => `[127.0.0.1]:${port} ${line}\n`,
      ),
    );
    return [sandbox.write(sandbox.unique("known_hosts"), lines.join(""))];
  }

  return {
    sandbox,
    knownHosts,
    get sshd() {
      return sshd;
    },
    get key() {
      return key;
    },
    /** Logs in with the key that the sshd accepts, unless told otherwise; closes with the test. */
    async open(
      server = `127.0.0.1:${sshd.port}`,
      options: LoginOptions = {},
    ): Promise<SshConnection> {
      const target = await sandbox.target(server, {
        knownHosts: knownHosts(sshd),
        identity: key.path,
        ...options,
      });
      const connection = await connectSsh(target, options);
      onTestFinished(() => connection.close());
      return connection;
    },
  };
}

/** The error that something fails with. */
export async function failure(opening: Promise<unknown>): Promise<ExposeError> {
  const error = await opening.then(
    () => new Error("it did not fail"),
    (reason: unknown) => reason,
  );
  if (error instanceof ExposeError) return error;
  throw error;
}

/** A person who answers nothing. */
export const nobody: Prompt = {
  secret: () => Promise.resolve(undefined),
  confirm: () => Promise.resolve(undefined),
};

/** Ends every connection of an sshd, as `kill -9` of their processes; the daemon stays. */
export function killSessions(server: TestSshd): void {
  for (const pid of childrenOf(server.program.child.pid!))
    try {
      process.kill(pid, "SIGKILL");
    } catch {
      // It went with its parent.
    }
}

function childrenOf(pid: number): number[] {
  const output = execFileSync("ps", ["-e", "-o", "pid=,ppid="], {
    encoding: "utf8",
  });
  const pairs = output
    .trim()
    .split("\n")
    .map((line) => line.trim().split(/\s+/).map(Number));
  const direct = pairs
    .filter(([, parent]) => parent === pid)
    .map(([child]) => child!);
  return direct.flatMap((child) => [child, ...childrenOf(child)]);
}
