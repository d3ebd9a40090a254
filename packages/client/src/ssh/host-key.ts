// The policy for a server's host key: the known one passes, an unknown one is asked about, a changed one never passes.
import { ExposeError } from "../errors.ts";
import { fingerprintOf, keyTypeOf, shortKeyType } from "./host-key-blob.ts";
import { hostName, type KnownHosts, type KnownKey } from "./known-hosts.ts";
import type { SshTarget } from "./target.ts";

/** What is to be done about a key. */
export type HostKeyDecision =
  | { action: "proceed" }
  | { action: "pin" }
  | { action: "ask"; question: string };

/** Who decides about keys that were never seen. */
export interface HostKeyRules {
  /** The caller's own word, which outweighs ssh_config. */
  acceptNewHostKey: boolean;
  /** Whether somebody can be asked. */
  canAsk: boolean;
}

/**
 * Decides about the key that a server shows. It has not proved yet that it holds the private half: a key is pinned
 * only after the handshake.
 *
 * @throws ExposeError `host-key-changed`, `host-key-revoked`, or `host-key-unknown` when nobody can be asked
 */
export function decideHostKey(
  key: Buffer,
  target: SshTarget,
  knownHosts: KnownHosts,
  rules: HostKeyRules,
): HostKeyDecision {
  const { host, port } = target.hostKeyName;
  const verdict = knownHosts.check(host, port, key);
  const shown = `${shortKeyType(keyTypeOf(key) ?? "unknown")} key ${fingerprintOf(key)}`;
  switch (verdict.status) {
    case "known":
      return { action: "proceed" };
    case "changed":
      throw changed(target, shown, verdict.known);
    case "revoked":
      throw new ExposeError(
        "host-key-revoked",
        `${target.label} shows the ${shown}, which is marked @revoked in ${verdict.by.file}:${verdict.by.line}. Nothing was sent. Do not connect until its operator has given it a new key.`,
      );
    case "unknown":
      break;
  }
  if (rules.acceptNewHostKey || target.unknownHostKey === "accept")
    return { action: "pin" };
  if (target.unknownHostKey === "refuse" || !rules.canAsk)
    throw unknown(target, shown, rules, verdict.authorities);
  return {
    action: "ask",
    question: `The server ${target.label} is not known yet. It shows the ${shown}.${authorityNote(verdict.authorities)} Compare it with what its operator told you. Trust it and remember it?`,
  };
}

/** The error for a person who did not say yes. */
export function refusedByPerson(target: SshTarget, key: Buffer): ExposeError {
  return new ExposeError(
    "host-key-unknown",
    `The key of ${target.label} (${fingerprintOf(key)}) was not trusted, so nothing was sent. Compare it with the server's own: ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub`,
  );
}

function unknown(
  target: SshTarget,
  shown: string,
  rules: HostKeyRules,
  authorities: readonly KnownKey[],
): ExposeError {
  const why =
    target.unknownHostKey === "refuse"
      ? "ssh_config says StrictHostKeyChecking yes"
      : "nobody can be asked about it";
  const ask = rules.canAsk
    ? ""
    : `run "expose login ${target.server}" in a terminal, or `;
  return new ExposeError(
    "host-key-unknown",
    `The server ${target.label} was never seen before and ${why}. It shows the ${shown}.${authorityNote(authorities)} To trust it, ${ask}pass --accept-new-host-key.`,
  );
}

function changed(
  target: SshTarget,
  shown: string,
  known: readonly KnownKey[],
): ExposeError {
  const pinned = known
    .map(
      (entry) =>
        `the ${shortKeyType(entry.type)} key ${entry.fingerprint} (${entry.file}:${entry.line})`,
    )
    .join(" and ");
  return new ExposeError(
    "host-key-changed",
    `The host key of ${target.label} has changed, and nothing was sent: it shows the ${shown}, and known is ${pinned}. Either the server was set up anew, or somebody is between you and it. When its operator confirms the new key, forget the old one: ${removal(target, known)}`,
  );
}

function removal(target: SshTarget, known: readonly KnownKey[]): string {
  const { host, port } = target.hostKeyName;
  const commands = known.map((entry) =>
    entry.byPattern
      ? `delete line ${entry.line} of ${entry.file}`
      : `ssh-keygen -R ${quote(hostName(host, port))} -f ${quote(entry.file)}`,
  );
  return [...new Set(commands)].join(" ; ");
}

const authorityNote = (authorities: readonly KnownKey[]): string => {
  const [first] = authorities;
  return first
    ? ` The @cert-authority in ${first.file}:${first.line} is not honoured: host certificates are not supported.`
    : "";
};

// Single quotes keep the shell from reading the brackets of [host]:port as a pattern.
const quote = (text: string): string =>
  /^[\w./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
