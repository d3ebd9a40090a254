// Real keys for tests, made by ssh-keygen.
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";

/** A key pair in files. */
export interface KeyFiles {
  /** The private key's path; the public one has `.pub` behind it. */
  readonly file: string;
  readonly privateText: string;
  /** `type base64`, without a comment. */
  readonly publicText: string;
  /** As `ssh-keygen -l` shows it. */
  readonly fingerprint: string;
}

/** An empty folder that goes with the test. */
export function useFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "edge-registry-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  return folder;
}

/** Makes a key pair that goes with the test. */
export function useKey(type = "ed25519", bits?: number): KeyFiles {
  const file = join(useFolder(), "key");
  keygen(
    "-q",
    "-N",
    "",
    "-C",
    "",
    "-t",
    type,
    ...(bits ? ["-b", String(bits)] : []),
    "-f",
    file,
  );
  return {
    file,
    privateText: readFileSync(file, "utf8"),
    publicText: readFileSync(`${file}.pub`, "utf8").trim(),
    fingerprint: keygen("-l", "-f", `${file}.pub`).split(" ")[1]!,
  };
}

/** Runs ssh-keygen. */
export const keygen = (...args: readonly string[]): string =>
  execFileSync("ssh-keygen", args, { encoding: "utf8", stdio: "pipe" });
