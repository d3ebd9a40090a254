// One line of the users file: our options, a public key, and whose it is.
import { explainInvalidName } from "@expose/protocol";
import { nearest } from "../util/nearest.ts";
import {
  formatPorts,
  parsePortRange,
  type PortRange,
} from "../util/port-range.ts";
import type { Identity } from "./identity.ts";
import {
  isKeyType,
  PublicKeyProblem,
  readPublicKey,
  type PublicKey,
} from "./public-key.ts";

/** What a line grants to its identity. */
export type KeyOptions = Omit<Identity, "id">;

/** A line that holds a key. */
export interface KeyLine {
  readonly identity: Identity;
  readonly key: PublicKey;
  /** What follows the identity in the comment. */
  readonly comment: string;
}

/** A line that cannot be used. The message never quotes more than the name of an option: keys could be secret ones. */
export class KeyLineProblem extends Error {
  override name = "KeyLineProblem";
}

/** What an identity may be called: it becomes part of a path, so nothing that a path or a shell gives a meaning to. */
export const IDENTITY = /^(?!\.{1,2}$)[A-Za-z0-9_@+.][A-Za-z0-9._@+-]{0,63}$/;

const MAX_NAMES = 1_000;
const MAX_DIRECT_PORTS = 1_000;
const MAX_TUNNELS = 100_000;

/**
 * Reads a line of the users file.
 *
 * @param allowedPorts public ports that may be granted
 * @throws KeyLineProblem
 */
export function parseKeyLine(
  line: string,
  allowedPorts: readonly PortRange[],
): KeyLine {
  const { options, rest } = splitOptions(line.trim());
  const [type = "", base64 = "", id, ...comment] = rest.split(/[ \t]+/);
  if (!isKeyType(type))
    throw new KeyLineProblem(
      options === ""
        ? "there is no key; a line reads [options] type key identity"
        : `expected a key behind the options${nameOf(type, ", not ")}`,
    );
  const key = readKey(type, base64);
  if (id === undefined)
    throw new KeyLineProblem(
      "nobody owns this key; write the identity behind it, such as alice@laptop",
    );
  const granted = parseOptions(options, allowedPorts);
  if (!IDENTITY.test(id))
    throw new KeyLineProblem(
      "the word behind the key is the identity; it has 1 to 64 letters, digits and . _ @ + - and does not begin with a hyphen",
    );
  return { identity: { id, ...granted }, key, comment: comment.join(" ") };
}

/** Gives a line back as text, without its newline. */
export function formatKeyLine({ identity, key, comment }: KeyLine): string {
  const options = formatOptions(identity);
  return [
    ...(options ? [options] : []),
    key.type,
    key.blob.toString("base64"),
    identity.id,
    ...(comment ? [comment] : []),
  ].join(" ");
}

/** Gives options back as they stand in the file; empty when there are none. */
export function formatOptions(options: KeyOptions): string {
  return [
    ...(options.names ? [`names="${options.names.join(",")}"`] : []),
    ...(options.maxTunnels === undefined
      ? []
      : [`max-tunnels=${options.maxTunnels}`]),
    ...(options.directPorts.length > 0
      ? [`direct-ports="${formatPorts(options.directPorts)}"`]
      : []),
  ].join(",");
}

/** Reads options such as `names="shop,api-*",max-tunnels=5`. @throws KeyLineProblem */
export function parseOptions(
  text: string,
  allowedPorts: readonly PortRange[],
): KeyOptions {
  const seen = new Map<string, string>();
  let rest = text;
  while (rest !== "") {
    // sshd's own form: a value with anything else than plain characters stands in quotes.
    const match =
      /^([A-Za-z0-9@.-]{1,40})(?:=(?:"([^"]*)"|([^",\s]*)))?(?:,(?!$)|$)/.exec(
        rest,
      );
    if (!match)
      throw new KeyLineProblem(
        'the options cannot be read; they look like names="shop,api-*",max-tunnels=5',
      );
    const [whole, name = "", quoted, bare] = match;
    if (!OPTIONS.includes(name)) throw new KeyLineProblem(explainUnknown(name));
    if (seen.has(name)) throw new KeyLineProblem(`${name} stands there twice`);
    const value = quoted ?? bare;
    if (value === undefined)
      throw new KeyLineProblem(`${name} needs a value, as in ${name}="…"`);
    seen.set(name, value);
    rest = rest.slice(whole.length);
  }
  const names = seen.get("names");
  const maxTunnels = seen.get("max-tunnels");
  const directPorts = seen.get("direct-ports");
  return {
    names: names === undefined ? undefined : parseNames(names),
    maxTunnels:
      maxTunnels === undefined ? undefined : parseMaxTunnels(maxTunnels),
    directPorts:
      directPorts === undefined
        ? []
        : parseDirectPorts(directPorts, allowedPorts),
  };
}

const OPTIONS: readonly string[] = ["names", "max-tunnels", "direct-ports"];

// sshd(8), AUTHORIZED_KEYS FILE FORMAT.
const SSHD_OPTIONS =
  /^(?:agent-forwarding|cert-authority|command|environment|expiry-time|from|(?:no-)?(?:pty|port-forwarding|agent-forwarding|x11-forwarding|user-rc|touch-required)|permitlisten|permitopen|principals|restrict|tunnel|verify-required)$/i;

function explainUnknown(name: string): string {
  if (SSHD_OPTIONS.test(name))
    return `${name} is an option of sshd; the edge sets what sshd needs by itself, leave it away`;
  const meant = nearest(name, OPTIONS);
  return `there is no option${nameOf(name)}; ${meant ? `did you mean ${meant}?` : `options are ${OPTIONS.join(", ")}`}`;
}

// A word is quoted only when it can be no part of a key.
const nameOf = (word: string, before = " "): string =>
  /^[a-z-]{1,24}$/.test(word) ? `${before}"${word}"` : "";

// Options end at the first blank outside of quotes.
function splitOptions(line: string): { options: string; rest: string } {
  if (isKeyType(/^\S*/.exec(line)![0])) return { options: "", rest: line };
  const options = /^(?:"[^"]*"|[^"\s])*/.exec(line)![0];
  // Neither an option nor a type of key: `parseKeyLine` says that no key is there.
  if (!/^[A-Za-z0-9@.-]{1,40}(?:[=,]|$)/.test(options))
    return { options: "", rest: line };
  return { options, rest: line.slice(options.length).trimStart() };
}

function readKey(type: string, base64: string): PublicKey {
  try {
    return readPublicKey(type, base64);
  } catch (error) {
    if (!(error instanceof PublicKeyProblem)) throw error;
    throw new KeyLineProblem(error.message, { cause: error });
  }
}

function parseNames(value: string): readonly string[] {
  const names = items(value);
  if (names.length > MAX_NAMES)
    throw new KeyLineProblem(`names may list ${MAX_NAMES}`);
  for (const name of names) {
    const problem = name.includes("*")
      ? /^[a-z0-9*-]{1,63}$/.test(name)
        ? undefined
        : "A pattern has letters a to z, digits, hyphens and * only."
      : explainInvalidName(name);
    if (problem !== undefined)
      throw new KeyLineProblem(`names holds one that cannot be. ${problem}`);
  }
  return names;
}

function parseMaxTunnels(value: string): number {
  const number = /^\d{1,6}$/.test(value) ? Number(value) : 0;
  if (number < 1 || number > MAX_TUNNELS)
    throw new KeyLineProblem(
      `max-tunnels is a whole number from 1 to ${MAX_TUNNELS}`,
    );
  return number;
}

function parseDirectPorts(
  value: string,
  allowed: readonly PortRange[],
): readonly number[] {
  const ports = new Set<number>();
  for (const item of items(value)) {
    const range = parsePortRange(item);
    if (!range)
      throw new KeyLineProblem(
        "direct-ports lists ports and ranges, such as 20000-20009,20100",
      );
    if (
      !allowed.some(
        ({ first, last }) => first <= range.first && range.last <= last,
      )
    )
      throw new KeyLineProblem(
        `direct-ports grants ${item}, which ingress.openssh.direct-ports does not allow`,
      );
    if (ports.size + range.last - range.first >= MAX_DIRECT_PORTS)
      throw new KeyLineProblem(
        `direct-ports may list ${MAX_DIRECT_PORTS} ports`,
      );
    for (let port = range.first; port <= range.last; port++) ports.add(port);
  }
  return [...ports].sort((a, b) => a - b);
}

const items = (value: string): string[] =>
  value === "" ? [] : value.split(",").map((item) => item.trim());
