// Key pairs of a run, and how `ssh` is called with them, cut off from the machine's own SSH configuration.
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { tempPath } from "../temp-folder.ts";

/** A key pair in the run's folder. */
export interface BenchKey {
  readonly file: string;
  /** One line, as in authorized_keys. */
  readonly publicKey: string;
}

/** Makes a key. @param comment who it belongs to */
export function createKey(comment: string): BenchKey {
  const file = tempPath("key");
  execFileSync("ssh-keygen", [
    ...["-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", file],
  ]);
  return { file, publicKey: readFileSync(`${file}.pub`, "utf8").trim() };
}

/** Options of `ssh` that make it depend on this key and the command line alone. */
export const sshOptions = (key: BenchKey, port: number): string[] => [
  ...["-F", "none", "-o", "IdentityAgent=none", "-o", "IdentitiesOnly=yes"],
  ...["-o", "BatchMode=yes", "-o", "ExitOnForwardFailure=yes"],
  ...["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"],
  ...["-o", "GlobalKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR"],
  ...["-i", key.file, "-p", String(port)],
];
