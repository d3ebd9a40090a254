// Which keys are offered to a server, in which order, and which cannot be.
import { createAgent, type BaseAgent, type ParsedKey } from "ssh2";
import { ExposeError } from "../errors.ts";
import { listAgentKeys, type AgentKey } from "./agent.ts";
import type { IdentityReport } from "./connection-facts.ts";
import { fingerprintOf } from "./host-key-blob.ts";
import { readKeyFile, type KeyFile } from "./key-file.ts";
import { printable } from "./log.ts";
import type { SshTarget } from "./target.ts";

/** A key that the agent holds and signs with. */
export interface AgentIdentity {
  readonly source: "agent";
  /** The comment that the key has in the agent, or the path of its file when ssh_config names that. */
  readonly name: string;
  readonly publicKey: ParsedKey;
  readonly fingerprint: string;
  readonly agent: BaseAgent;
}

/** A key in a file, locked or open. */
export interface FileIdentity {
  readonly source: "file";
  /** Its path, the home folder shown as `~`. */
  readonly name: string;
  /** Undefined in locked files that do not show their public half. */
  readonly publicKey: ParsedKey | undefined;
  readonly fingerprint: string | undefined;
  readonly file: KeyFile;
}

/** A key that can be offered. */
export type Identity = AgentIdentity | FileIdentity;

/** See the file's head. */
export interface Identities {
  /** In the order in which they are to be offered. */
  readonly identities: readonly Identity[];
  readonly report: IdentityReport;
}

/**
 * Gathers the keys for a target as ssh does: explicit files alone; otherwise keys of the agent that ssh_config names,
 * the agent's other keys, and key files that the agent does not hold. Asks nobody: locked files stay locked.
 *
 * @throws ExposeError `key-missing` or `key-invalid` for an explicit file that cannot be used, `key-missing` when
 * there is nothing to offer
 */
export async function loadIdentities(target: SshTarget): Promise<Identities> {
  const unusable: { name: string; reason: string }[] = [];
  const agentKeys = await agentKeysOf(target, unusable);
  const agent = target.agentSocket
    ? createAgent(target.agentSocket)
    : undefined;
  const inAgent = (key: ParsedKey | undefined): UsableAgentKey | undefined =>
    key &&
    agentKeys
      .filter(isUsable)
      .find(({ blob }) => blob.equals(key.getPublicSSH()));

  const viaAgent: Identity[] = [];
  const viaFile: Identity[] = [];
  for (const path of target.identityFiles) {
    const name = tilde(path, target);
    const result = await readKeyFile(path);
    const held =
      result.kind === "key"
        ? inAgent(result.file.publicKey)
        : result.kind === "public"
          ? inAgent(result.publicKey)
          : undefined;
    if (held && agent) {
      viaAgent.push(agentIdentity(name, held, agent));
    } else if (result.kind === "key") {
      viaFile.push(fileIdentity(name, result.file));
    } else {
      const problem = fileProblem(name, result);
      if (target.identitySource === "explicit") throw problem;
      if (result.kind !== "missing")
        unusable.push({
          name,
          reason:
            result.kind === "unusable"
              ? result.reason
              : "it is a public key, and the agent does not hold its private half",
        });
    }
  }

  const others: Identity[] = [];
  if (target.identitySource !== "explicit" && agent)
    for (const key of agentKeys) {
      const name = printable(key.comment || key.fingerprint);
      if (!isUsable(key))
        unusable.push({
          name: `${name} (${key.type}, in the agent)`,
          reason: key.reason ?? "it is not supported",
        });
      else if (
        !target.identitiesOnly &&
        !viaAgent.some(({ fingerprint }) => fingerprint === key.fingerprint)
      )
        others.push(agentIdentity(name, key, agent));
    }

  const identities = [...viaAgent, ...others, ...viaFile];
  if (identities.length === 0) throw nothingToOffer(target, unusable);
  const usable = identities.map(({ name, source, fingerprint }) => ({
    name,
    source,
    fingerprint,
  }));
  return { identities, report: { usable, unusable } };
}

/** Lists keys that cannot be used, as a sentence for an error message; empty when there are none. */
export function unusableSentence(report: {
  unusable: IdentityReport["unusable"];
}): string {
  if (report.unusable.length === 0) return "";
  const list = report.unusable
    .map(({ name, reason }) => `${name}: ${reason}`)
    .join("; ");
  return ` Not usable: ${list}.`;
}

async function agentKeysOf(
  target: SshTarget,
  unusable: { name: string; reason: string }[],
): Promise<AgentKey[]> {
  if (!target.agentSocket) return [];
  try {
    return await listAgentKeys(target.agentSocket);
  } catch (error) {
    unusable.push({
      name: `the agent at ${printable(target.agentSocket)}`,
      reason: (error as Error).message,
    });
    return [];
  }
}

const agentIdentity = (
  name: string,
  { publicKey, fingerprint }: UsableAgentKey,
  agent: BaseAgent,
): AgentIdentity => ({ source: "agent", name, publicKey, fingerprint, agent });

const fileIdentity = (name: string, file: KeyFile): FileIdentity => ({
  source: "file",
  name,
  publicKey: file.publicKey,
  fingerprint: file.publicKey && fingerprintOf(file.publicKey.getPublicSSH()),
  file,
});

type UsableAgentKey = AgentKey & { publicKey: ParsedKey };

const isUsable = (key: AgentKey): key is UsableAgentKey =>
  key.publicKey !== undefined;

function fileProblem(
  name: string,
  result: Exclude<Awaited<ReturnType<typeof readKeyFile>>, { kind: "key" }>,
): ExposeError {
  switch (result.kind) {
    case "missing":
      return new ExposeError(
        "key-missing",
        `The key file ${name} does not exist. Make a key with: ssh-keygen -t ed25519 -f ${name}`,
      );
    case "public":
      return new ExposeError(
        "key-invalid",
        `The key file ${name} holds a public key, and no agent holds its private half. Name the private key${name.endsWith(".pub") ? `: ${name.slice(0, -4)}` : " instead."}`,
      );
    case "unusable":
      return new ExposeError(
        "key-invalid",
        `The key file ${name} cannot be used: ${result.reason}.`,
      );
  }
}

function nothingToOffer(
  target: SshTarget,
  unusable: IdentityReport["unusable"],
): ExposeError {
  const files = target.identityFiles.map((path) => tilde(path, target));
  const agent = target.agentSocket
    ? "the agent offers none"
    : "no agent is running (SSH_AUTH_SOCK is not set)";
  return new ExposeError(
    "key-missing",
    `There is no key to log in to ${target.label} with: ${agent}, and none of ${files.join(", ") || "the configured files"} can be used.${unusableSentence({ unusable })} Make a key with: ssh-keygen -t ed25519`,
  );
}

const tilde = (path: string, { home }: SshTarget): string =>
  path.startsWith(`${home}/`) ? `~${path.slice(home.length)}` : path;
