// One login over one transport. Never waits for a person: a question ends the attempt, since servers cut a login off
// that takes too long (LoginGraceTime), and the caller tries again with the answer.
import { Client } from "ssh2";
import { PRODUCT_VERSION } from "@expose/protocol";
import { ExposeError } from "../errors.ts";
import { algorithmsFor } from "./algorithms.ts";
import { startDeadline } from "./deadline.ts";
import { aborted } from "./dial.ts";
import { decideHostKey, type HostKeyRules } from "./host-key.ts";
import type { FileIdentity, Identity } from "./identity.ts";
import { isEdgeVersion } from "./find-edge.ts";
import { onAuthRefused } from "./inside-ssh2.ts";
import type { KeyOffers } from "./key-offers.ts";
import type { KnownHosts } from "./known-hosts.ts";
import { printable, type SshLog } from "./log.ts";
import { isSsh, loginBroken, loginTimedOut } from "./login-error.ts";
import { skipKeyQuestion, skipServiceWait } from "./skip-waits.ts";
import type { SshTarget } from "./target.ts";
import type { Transport } from "./transport.ts";

/** What a login is given. */
export interface LoginInput {
  readonly target: SshTarget;
  readonly knownHosts: KnownHosts;
  /** A key that a person has said yes to. */
  readonly trusted: Buffer | undefined;
  readonly rules: HostKeyRules;
  readonly offers: KeyOffers;
  /** Time for handshake and login, without the time that the agent takes to sign. */
  readonly timeoutMs: number;
  readonly signal: AbortSignal | undefined;
  readonly log: SshLog;
}

/** How a login ends, when it does not fail. */
export type LoginOutcome =
  | {
      kind: "ready";
      client: Client;
      hostKey: Buffer;
      /** Whether the key was not in known_hosts and has to be written there. */
      isNewHostKey: boolean;
      identity: Identity;
      /** What the server calls itself: `SSH-2.0-OpenSSH_9.2p1`. */
      serverVersion: string;
    }
  | { kind: "ask-host-key"; hostKey: Buffer; question: string }
  | { kind: "ask-passphrase"; identity: FileIdentity };

const SNIFF_BYTES = 512;

/**
 * Logs in. The transport is destroyed unless the outcome is `ready`.
 *
 * @throws ExposeError `server-not-ssh`, `handshake-failed`, `connection-lost`, `auth-failed`, `key-invalid`, `aborted`,
 * and those of decideHostKey
 */
export function login(
  { stream }: Transport,
  input: LoginInput,
): Promise<LoginOutcome> {
  const { target, knownHosts, offers, signal, log } = input;
  return new Promise((resolve, reject) => {
    const client = new Client();
    const progress = { received: Buffer.alloc(0), encrypted: false };
    let hostKey: Buffer | undefined;
    let isNewHostKey = false;
    let settled = false;
    let lastError: Error | undefined;

    const settle = (): boolean => {
      if (settled) return false;
      settled = true;
      deadline.clear();
      stream.off("data", sniff);
      signal?.removeEventListener("abort", onAbort);
      return true;
    };
    const end = (outcome: LoginOutcome): void => {
      if (!settle()) return;
      stream.destroy();
      resolve(outcome);
    };
    const fail = (error: ExposeError): void => {
      if (!settle()) return;
      stream.destroy();
      reject(error);
    };
    const deadline = startDeadline(input.timeoutMs, () =>
      fail(loginTimedOut(target, progress, input.timeoutMs)),
    );
    const onAbort = (): void => fail(aborted(signal!));
    const sniff = (chunk: Buffer): void => {
      progress.received = Buffer.concat([progress.received, chunk]).subarray(
        0,
        SNIFF_BYTES,
      );
      if (isSsh(progress.received) || progress.received.length === SNIFF_BYTES)
        stream.off("data", sniff);
    };

    client.on("error", (error) => {
      // A key that could not be used to sign; the next one is offered.
      if (error.level === "agent") return;
      if (isTooManyFailures(error)) fail(offers.failure());
      // What has arrived tells more than the error that came of it; it may be in the same turn of the event loop.
      else setImmediate(() => fail(loginBroken(target, progress, lastError)));
      lastError ??= error;
    });
    client.on("close", () => fail(loginBroken(target, progress, lastError)));
    client.on("banner", (text) => {
      for (const line of text.trimEnd().split(/\r?\n/))
        log.info(`${target.label}: ${printable(line)}`);
    });
    client.on("handshake", () => {
      progress.encrypted = true;
      if (isEdgeVersion(identLine(progress.received))) offers.noteEdge();
    });
    client.on("ready", () => {
      const identity = offers.current;
      if (!hostKey || !identity)
        return fail(
          new ExposeError(
            "auth-failed",
            `${target.label} let the login pass without a key or a host key of its own, which no honest server does.`,
          ),
        );
      if (!settle()) return;
      resolve({
        ...{ kind: "ready", client, hostKey, isNewHostKey, identity },
        serverVersion: identLine(progress.received),
      });
    });

    if (signal?.aborted) return onAbort();
    if (stream.destroyed) return fail(loginBroken(target, progress, undefined));
    signal?.addEventListener("abort", onAbort, { once: true });
    client.connect({
      sock: stream,
      username: target.user,
      ident: `expose_${PRODUCT_VERSION.replaceAll("-", "_")}`,
      algorithms: algorithmsFor(
        knownHosts.knownTypes(target.hostKeyName.host, target.hostKeyName.port),
      ),
      // Both kinds of timer are our own: these cannot be paused, and these kill busy connections.
      readyTimeout: 0,
      keepaliveInterval: 0,
      hostVerifier(key: Buffer) {
        // Asked again at each key exchange of a long connection: a server does not change its key in between.
        if (hostKey) return hostKey.equals(key);
        hostKey = key;
        if (input.trusted?.equals(key)) {
          isNewHostKey = true;
          return true;
        }
        try {
          const decision = decideHostKey(key, target, knownHosts, input.rules);
          if (decision.action === "ask") {
            const { question } = decision;
            end({ kind: "ask-host-key", hostKey: key, question });
            return false;
          }
          isNewHostKey = decision.action === "pin";
          return true;
        } catch (error) {
          fail(error as ExposeError);
          return false;
        }
      },
      authHandler: offers.handler({
        locked: (identity) => end({ kind: "ask-passphrase", identity }),
        exhausted: () => fail(offers.failure()),
        signing(identity) {
          if (identity.source === "agent") deadline.pause();
        },
        signed: () => deadline.resume(),
      }),
    });
    onAuthRefused(client, (methods, partialSuccess) =>
      offers.noteRefusal(methods, partialSuccess),
    );
    skipServiceWait(client, () => !settled && !offers.needServerAlgorithms);
    skipKeyQuestion(client, () => offers.signAtOnce);
    // After connect(): that one pauses the stream, and a listener before it would have set it flowing.
    stream.on("data", sniff);
  });
}

// RFC 4253 section 11.1: PROTOCOL_ERROR is what OpenSSH says with "Too many authentication failures"; 14 is made for it.
function isTooManyFailures(error: Error & { code?: unknown }): boolean {
  return (
    error.code === 14 ||
    (typeof error.code === "number" &&
      /too many authentication failures/i.test(error.message))
  );
}

const identLine = (received: Buffer): string =>
  printable(
    /(?:^|\n)(SSH-[^\r\n]*)/.exec(received.toString("latin1"))?.[1] ?? "",
  );
