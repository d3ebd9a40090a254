// Reads known_hosts files (sshd(8), SSH_KNOWN_HOSTS FILE FORMAT) and says whether a host key is the one we know.
import { createHmac, timingSafeEqual } from "node:crypto";
import { readFile } from "node:fs/promises";
import { ExposeError } from "../errors.ts";
import { fingerprintOf, keyTypeOf } from "./host-key-blob.ts";
import { matchPatternList } from "./pattern.ts";

/** A line that speaks about the host that was asked for. */
export interface KnownKey {
  readonly file: string;
  /** Counted from 1. */
  readonly line: number;
  readonly type: string;
  readonly fingerprint: string;
  /** Whether a wildcard made it match: `ssh-keygen -R` does not find such lines. */
  readonly byPattern: boolean;
}

/** What known_hosts says about a host's key. */
export type HostKeyVerdict =
  | { status: "known" }
  /** `authorities`: lines with @cert-authority for this host, which cannot be honoured without host certificates. */
  | { status: "unknown"; authorities: readonly KnownKey[] }
  /** Other keys are known for this host, of whatever type. A man in the middle would offer a type not seen before. */
  | { status: "changed"; known: readonly KnownKey[] }
  | { status: "revoked"; by: KnownKey };

/** See the file's head. */
export interface KnownHosts {
  /** @param port 22 asks for the bare host; other ports for `[host]:port`, as ssh writes them */
  check(host: string, port: number, key: Buffer): HostKeyVerdict;
  /**
   * Types of the keys known for a host. Whoever negotiates must ask for these first: a server has several keys, and
   * with another one in hand a host known by RSA alone looks changed.
   */
  knownTypes(host: string, port: number): ReadonlySet<string>;
  /** Lines that are no entries, as `file:line`. */
  readonly broken: readonly string[];
}

/**
 * Reads known_hosts files; those that do not exist are empty.
 *
 * @throws ExposeError `config-unreadable` when a file is there and cannot be read: a key in it that has changed would
 * pass for one never seen
 */
export async function readKnownHosts(
  files: readonly string[],
): Promise<KnownHosts> {
  const entries: Entry[] = [];
  const broken: string[] = [];
  for (const file of files) {
    const text = await readIfThere(file);
    for (const [index, line] of text.split("\n").entries()) {
      const trimmed = line.trim();
      if (trimmed === "" || trimmed.startsWith("#")) continue;
      const entry = parseEntry(trimmed, file, index + 1);
      if (entry) entries.push(entry);
      else broken.push(`${file}:${index + 1}`);
    }
  }

  // Each hashed line costs a hash for each name that is asked for.
  const asked = new Map<string, Found[]>();
  const find = (name: string): Found[] => {
    let found = asked.get(name);
    if (found) return found;
    found = entries.flatMap((entry) => {
      const match = matchHosts(entry.hosts, name);
      return match ? [{ entry, byPattern: match === "pattern" }] : [];
    });
    asked.set(name, found);
    return found;
  };

  return {
    broken,
    check(host, port, key) {
      const found = find(hostName(host, port));
      const verdict = judge(found, key);
      if (verdict.status !== "unknown" || port === 22) return verdict;
      // As ssh: a key that is known for the host without a port is good for every port of it.
      const bare = judge(find(hostName(host, 22)), key);
      return bare.status === "known" || bare.status === "revoked"
        ? bare
        : verdict;
    },
    knownTypes(host, port) {
      let plain = plainOf(find(hostName(host, port)));
      if (plain.length === 0) plain = plainOf(find(hostName(host, 22)));
      return new Set(plain.map(({ entry }) => entry.type));
    },
  };
}

/** The name of a host in known_hosts. */
export function hostName(host: string, port: number): string {
  const lower = host.toLowerCase();
  return port === 22 ? lower : `[${lower}]:${port}`;
}

/** The hash that stands for a name in a hashed line. @param salt 20 random bytes */
export function hashHostName(name: string, salt: Buffer): Buffer {
  return createHmac("sha1", salt).update(name).digest();
}

interface Entry {
  readonly marker: "revoked" | "authority" | undefined;
  readonly hosts: string;
  readonly type: string;
  readonly key: Buffer;
  readonly file: string;
  readonly line: number;
}

interface Found {
  readonly entry: Entry;
  readonly byPattern: boolean;
}

const MARKERS: Readonly<Record<string, Entry["marker"]>> = {
  "@revoked": "revoked",
  "@cert-authority": "authority",
};

async function readIfThere(file: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR") return "";
    throw new ExposeError(
      "config-unreadable",
      `The known host keys in ${file} cannot be read (${code}), and without them a changed key would go unnoticed. Make the file readable or move it away.`,
      { cause: error },
    );
  }
}

function parseEntry(
  text: string,
  file: string,
  line: number,
): Entry | undefined {
  const words = text.split(/[ \t]+/);
  let marker: Entry["marker"];
  if (words[0]!.startsWith("@")) {
    marker = MARKERS[words.shift()!];
    if (!marker) return undefined;
  }
  const [hosts, type, base64] = words;
  if (!hosts || !type || !base64) return undefined;
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(base64)) return undefined;
  const key = Buffer.from(base64, "base64");
  if (keyTypeOf(key) !== type) return undefined;
  return { marker, hosts, type, key, file, line };
}

function matchHosts(
  hosts: string,
  name: string,
): "name" | "pattern" | undefined {
  if (hosts.startsWith("|")) {
    const [, version, salt, hash] = hosts.split("|");
    if (version !== "1" || !salt || !hash) return undefined;
    const wanted = Buffer.from(hash, "base64");
    const actual = hashHostName(name, Buffer.from(salt, "base64"));
    return wanted.length === actual.length && timingSafeEqual(wanted, actual)
      ? "name"
      : undefined;
  }
  const patterns = hosts.toLowerCase().split(",");
  if (matchPatternList(name, patterns) !== "match") return undefined;
  return patterns.includes(name) ? "name" : "pattern";
}

function judge(found: readonly Found[], key: Buffer): HostKeyVerdict {
  const revoked = found.find(
    ({ entry }) => entry.marker === "revoked" && entry.key.equals(key),
  );
  if (revoked) return { status: "revoked", by: describe(revoked) };
  const plain = plainOf(found);
  if (plain.some(({ entry }) => entry.key.equals(key)))
    return { status: "known" };
  if (plain.length > 0)
    return { status: "changed", known: plain.map(describe) };
  return {
    status: "unknown",
    authorities: found
      .filter(({ entry }) => entry.marker === "authority")
      .map(describe),
  };
}

const plainOf = (found: readonly Found[]): Found[] =>
  found.filter(({ entry }) => entry.marker === undefined);

const describe = ({ entry, byPattern }: Found): KnownKey => ({
  file: entry.file,
  line: entry.line,
  type: entry.type,
  fingerprint: fingerprintOf(entry.key),
  byPattern,
});
