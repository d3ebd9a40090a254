// From a target to a connection that is logged in: dials, jumps, checks the host key, offers keys, asks where needed.
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { ExposeError } from "../errors.ts";
import type { Prompt } from "../options.ts";
import { aborted, CONNECT_TIMEOUT_MS, dial } from "./dial.ts";
import { fingerprintOf } from "./host-key-blob.ts";
import { refusedByPerson } from "./host-key.ts";
import { loadIdentities } from "./identity.ts";
import { KeyOffers } from "./key-offers.ts";
import { createKeyring, type Keyring } from "./keyring.ts";
import { readKnownHosts } from "./known-hosts.ts";
import { DEFAULT_LIVENESS, type LivenessTimes } from "./liveness.ts";
import { silentLog, type SshLog } from "./log.ts";
import { login, type LoginOutcome } from "./login.ts";
import { pinHostKey } from "./pin-host-key.ts";
import { SshConnection } from "./ssh-connection.ts";
import type { SshTarget } from "./target.ts";
import {
  channelTransport,
  socketTransport,
  type Transport,
} from "./transport.ts";

/** Time limits of a connection, milliseconds. */
export interface ConnectTimes extends LivenessTimes {
  /** For TCP. */
  connectMs: number;
  /** For handshake and login after that, questions to a person not counted. */
  loginMs: number;
}

/** How to connect. */
export interface ConnectOptions {
  /** Absent: nobody can be asked. */
  prompt?: Prompt | undefined;
  /** Pin host keys that were never seen, jump hosts' included. Default: what ssh_config says. */
  acceptNewHostKey?: boolean | undefined;
  /** Ends the attempt; a connection that is already open is not touched. */
  signal?: AbortSignal | undefined;
  times?: Partial<ConnectTimes> | undefined;
  log?: SshLog | undefined;
  /** From dial(), for this target, perhaps still on its way; it is used up in any case. Absent: dials itself. */
  socket?: Promise<Socket> | undefined;
  /** Keys that were opened before. Keep one over reconnects, and passphrases are asked for once. */
  keyring?: Keyring | undefined;
}

/**
 * Connects and logs in, by way of the jump hosts if there are any. Asks about unknown host keys and for passphrases
 * between two attempts, never during one.
 *
 * @throws ExposeError `server-unreachable`, `server-not-ssh`, `handshake-failed`, `connection-lost`,
 * `host-key-unknown`, `host-key-changed`, `host-key-revoked`, `auth-failed`, `key-missing`, `key-invalid`,
 * `config-unreadable`, `aborted`
 */
export async function connectSsh(
  target: SshTarget,
  options: ConnectOptions = {},
): Promise<SshConnection> {
  // It may fail while something else is looked at, and is looked at when that is done.
  options.socket?.catch(() => {});
  const context: Context = {
    ...options,
    log: options.log ?? silentLog,
    keyring: options.keyring ?? createKeyring(),
    times: {
      ...{ connectMs: CONNECT_TIMEOUT_MS, loginMs: LOGIN_TIMEOUT_MS },
      ...DEFAULT_LIVENESS,
      ...options.times,
    },
  };
  for (const sentence of target.unsupported) context.log.warn(sentence);
  try {
    return await connectHop(target, context);
  } catch (error) {
    options.socket?.then(
      (socket) => socket.destroy(),
      () => {},
    );
    throw withUnsupported(error, target);
  }
}

// Three round trips and what the server needs for them; embedded boards take seconds for their key exchange.
const LOGIN_TIMEOUT_MS = 20_000;

interface Context extends ConnectOptions {
  log: SshLog;
  keyring: Keyring;
  times: ConnectTimes;
}

async function connectHop(
  target: SshTarget,
  context: Context,
): Promise<SshConnection> {
  const below = target.jump && (await connectHop(target.jump, context));
  try {
    return await logIn(target, context, below);
  } catch (error) {
    await below?.close();
    throw error;
  }
}

// Goes round once for each question that a person has to answer.
async function logIn(
  target: SshTarget,
  context: Context,
  below: SshConnection | undefined,
): Promise<SshConnection> {
  const { prompt, keyring, log, signal, times } = context;
  const found = await loadIdentities(target);
  const offers = new KeyOffers(target, found, keyring);
  const knownHosts = await readKnownHosts(target.knownHostsFiles);
  if (knownHosts.broken.length > 0)
    log.warn(
      `These lines are no known_hosts entries and are left out: ${knownHosts.broken.slice(0, 5).join(", ")}${knownHosts.broken.length > 5 ? ", …" : ""}`,
    );
  let trusted: Buffer | undefined;
  let socket = context.socket;
  for (;;) {
    const transport = await openTransport(target, context, below, socket);
    socket = undefined;
    const outcome = await login(transport, {
      ...{ target, knownHosts, trusted, offers, signal, log },
      timeoutMs: times.loginMs,
      rules: {
        acceptNewHostKey: context.acceptNewHostKey ?? false,
        canAsk: prompt !== undefined,
      },
    });
    switch (outcome.kind) {
      case "ready":
        return finish(transport, outcome);
      case "ask-host-key":
        if ((await prompt?.confirm(outcome.question)) !== true)
          throw refusedByPerson(target, outcome.hostKey);
        trusted = outcome.hostKey;
        break;
      case "ask-passphrase":
        try {
          await keyring.unlock(outcome.identity, prompt, log);
          offers.prefer(outcome.identity);
        } catch (error) {
          if (!(error instanceof ExposeError)) throw error;
          offers.giveUp(error);
          if (offers.exhausted) throw offers.failure();
        }
        break;
    }
    if (signal?.aborted) throw aborted(signal);
  }

  async function finish(
    transport: Transport,
    outcome: LoginOutcome & { kind: "ready" },
  ): Promise<SshConnection> {
    const { client, hostKey, identity } = outcome;
    const fingerprint = fingerprintOf(hostKey);
    const connection = new SshConnection(
      client,
      transport,
      {
        target,
        hostKeyFingerprint: fingerprint,
        keyUsed: {
          name: identity.name,
          source: identity.source,
          fingerprint: offers.currentFingerprint,
        },
        identities: found.report,
        serverVersion: outcome.serverVersion,
      },
      times,
      below,
    );
    const [file] = target.knownHostsFiles;
    if (outcome.isNewHostKey && file !== undefined) {
      const { host, port } = target.hostKeyName;
      try {
        await pinHostKey(file, host, port, hostKey);
      } catch (error) {
        await connection.close();
        throw error;
      }
      log.info(
        `The host key ${fingerprint} of ${target.label} was written to ${file}.`,
      );
    }
    return connection;
  }
}

async function openTransport(
  target: SshTarget,
  { signal, times }: Context,
  below: SshConnection | undefined,
  socket: Promise<Socket> | undefined,
): Promise<Transport> {
  if (!below)
    return socketTransport(
      await (socket ?? dial(target, signal, times.connectMs)),
    );
  return channelTransport(
    await jumpTo(target, below, signal, times.connectMs),
    below.transport,
  );
}

async function jumpTo(
  target: SshTarget,
  below: SshConnection,
  signal: AbortSignal | undefined,
  timeoutMs: number,
): Promise<Duplex> {
  const where = `${target.label} cannot be reached from the jump host ${below.target.label}`;
  // SSH has no way to take the request back, so an end of the wait is the end of the jump host's connection.
  const stop = (): void => below.destroy(aborted(signal!));
  const timer = setTimeout(() => {
    const cause = Object.assign(new Error("No answer."), { code: "ETIMEDOUT" });
    below.destroy(
      new ExposeError(
        "server-unreachable",
        `${where}: no answer within ${timeoutMs / 1_000} s. Check its address and the firewall between the two.`,
        { cause },
      ),
    );
  }, timeoutMs);
  signal?.addEventListener("abort", stop, { once: true });
  try {
    return await below.openDirect(target.host, target.port);
  } catch (error) {
    if (!(error instanceof ExposeError) || error.code !== "forward-refused")
      throw error;
    throw new ExposeError("server-unreachable", `${where}: ${error.message}`, {
      cause: error,
      final: error.final,
    });
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", stop);
  }
}

// A ProxyCommand that is not followed is the likely reason why the server cannot be reached.
function withUnsupported(error: unknown, { unsupported }: SshTarget): unknown {
  if (
    !(error instanceof ExposeError) ||
    error.code !== "server-unreachable" ||
    unsupported.length === 0
  )
    return error;
  return new ExposeError(
    error.code,
    `${error.message} ${unsupported.join(" ")}`,
    { cause: error.cause, final: error.final },
  );
}
