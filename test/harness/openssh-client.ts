// Starts the real `ssh` and makes keys with the real `ssh-keygen`, cut off from the machine's own SSH configuration.
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { startProgram, stop, type RunningProgram } from "./processes.ts";

/** A key pair in a folder of its own. */
export interface SshKey {
  readonly privateKeyFile: string;
  /** OpenSSH or PEM text. */
  readonly privateKey: string;
  /** One line, as in authorized_keys. */
  readonly publicKey: string;
  /** The blob of RFC 4253 section 6.6. */
  readonly blob: Buffer;
}

/** Makes a key pair, which the end of the test removes. */
export function useSshKey(
  type: "ed25519" | "ecdsa" | "rsa" = "ed25519",
): SshKey {
  const folder = mkdtempSync(join(tmpdir(), "expose-key-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const privateKeyFile = join(folder, "id");
  execFileSync("ssh-keygen", [
    "-q",
    ...["-t", type],
    ...["-N", ""],
    ...["-C", "test"],
    ...["-f", privateKeyFile],
  ]);
  const publicKey = readFileSync(`${privateKeyFile}.pub`, "utf8").trim();
  return {
    privateKeyFile,
    privateKey: readFileSync(privateKeyFile, "utf8"),
    publicKey,
    blob: Buffer.from(publicKey.split(" ")[1] ?? "", "base64"),
  };
}

/** How to start `ssh`. */
export interface SshOptions {
  readonly port: number;
  readonly key: SshKey;
  /** Options, without the destination. */
  readonly args?: readonly string[];
  readonly command?: readonly string[];
  /** Default: `pipe`. */
  readonly stdin?: "pipe" | "ignore";
}

/** Starts `ssh` against a server on loopback whose host key is not checked. The end of the test kills it. */
export function startSsh(options: SshOptions): RunningProgram {
  const args = [
    // No configuration of this machine, no agent, no questions.
    ...["-F", "none"],
    ...["-o", "IdentityAgent=none"],
    ...["-o", "IdentitiesOnly=yes"],
    ...["-o", "BatchMode=yes"],
    ...["-o", "StrictHostKeyChecking=no"],
    ...["-o", "UserKnownHostsFile=/dev/null"],
    ...["-o", "GlobalKnownHostsFile=/dev/null"],
    ...["-i", options.key.privateKeyFile],
    ...["-p", String(options.port)],
    ...(options.args ?? []),
    "tunnel@127.0.0.1",
    ...(options.command ?? []),
  ];
  const ssh = startProgram("ssh", args, {
    stdio: [options.stdin ?? "pipe", "pipe", "pipe"],
  });
  ssh.child.stdin?.on("error", () => {});
  onTestFinished(() => stop(ssh));
  return ssh;
}
