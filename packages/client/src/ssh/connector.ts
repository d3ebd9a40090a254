// Opens connections to one server again and again: what was found out once (target, passphrases) is kept.
import { homedir } from "node:os";
import type { SessionOptions } from "../options.ts";
import { dial } from "./dial.ts";
import { createKeyring } from "./keyring.ts";
import { silentLog } from "./log.ts";
import type { ConnectionFacts } from "./connection-facts.ts";
import type { SshConnection } from "./ssh-connection.ts";
import { resolveTarget } from "./resolve-target.ts";
import type { SshTarget } from "./target.ts";

/** See the file's head. */
export interface Connector {
  readonly target: SshTarget;
  /** Of the newest connection; undefined before the first. */
  readonly facts: ConnectionFacts | undefined;
  /**
   * Connects and logs in. The first time whoever sits at the keyboard may be asked; later nobody is.
   *
   * @param timeouts for TCP and for the login, milliseconds; absent: the defaults
   * @throws ExposeError as connectSsh()
   */
  connect(
    signal: AbortSignal,
    timeouts?: { connectMs: number; loginMs: number },
  ): Promise<SshConnection>;
}

/** @throws ExposeError as resolveTarget() */
export async function createConnector(
  options: SessionOptions & { server: string },
): Promise<Connector> {
  const { log = silentLog } = options;
  const target = await resolveTarget(options.server, {
    identity: options.identity,
    knownHosts: options.knownHosts,
    sshConfig: options.sshConfig,
    home: homedir(),
    env: process.env,
  });
  const keyring = createKeyring();
  let facts: ConnectionFacts | undefined;

  return {
    target,
    get facts() {
      return facts;
    },
    async connect(signal, timeouts) {
      // The way to the server takes its time; ssh2 is loaded, and keys are read, meanwhile.
      const socket = dial(target, signal, timeouts?.connectMs);
      socket.catch(() => {});
      const { connectSsh } = await import("./connection.ts");
      const connection = await connectSsh(target, {
        // A question in the middle of the night, after a reconnect, would be answered by nobody.
        prompt: facts === undefined ? options.prompt : undefined,
        acceptNewHostKey: options.acceptNewHostKey,
        signal,
        log: facts === undefined ? log : silentLog,
        keyring,
        times: timeouts,
        socket,
      });
      facts = connection.facts;
      return connection;
    },
  };
}
