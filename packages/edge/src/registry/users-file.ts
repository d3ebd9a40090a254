// Reads the users file: authorized_keys lines with our options in front. It is right as a whole, or refused as a whole.
import { EdgeError } from "../errors.ts";
import type { PortRange } from "../util/port-range.ts";
import type { Identity } from "./identity.ts";
import { formatOptions, KeyLineProblem, parseKeyLine } from "./key-line.ts";
import type { PublicKey } from "./public-key.ts";

/** A key of an identity. */
export interface UserKey extends PublicKey {
  /** Where it stands in the file; counts from 1. */
  readonly line: number;
  /** What follows the identity in the comment. */
  readonly comment: string;
}

/** An identity and its keys. */
export interface User {
  readonly identity: Identity;
  readonly keys: readonly UserKey[];
}

/** Something wrong with one line. */
export interface LineProblem {
  readonly line: number;
  readonly message: string;
}

/** All that is wrong with a users file. */
export class UsersFileError extends EdgeError {
  override name = "UsersFileError";
  readonly problems: readonly LineProblem[];

  constructor(file: string, problems: readonly LineProblem[]) {
    const count =
      problems.length === 1 ? "a mistake" : `${problems.length} mistakes`;
    const lines = problems.map(
      ({ line, message }) => `  ${file}:${line}: ${message}`,
    );
    super(
      "users-invalid",
      `The users file has ${count}; nothing of it is used until mended:\n${lines.join("\n")}`,
    );
    this.problems = problems;
  }
}

/** How a users file is read. */
export interface UsersFileOptions {
  /** For messages. */
  readonly file: string;
  /** Public ports that may be granted. Default: 1024 to 65535. */
  readonly directPorts?: readonly PortRange[] | undefined;
}

/** What a system lets ordinary accounts listen on. */
export const UNPRIVILEGED_PORTS: readonly PortRange[] = [
  { first: 1_024, last: 65_535 },
];

/**
 * Reads the text of a users file. Empty lines and those that begin with # mean nothing; several lines with the same
 * identity are one identity with several keys, and grant the same.
 *
 * @throws UsersFileError `users-invalid` with every problem and its line
 */
export function parseUsersFile(
  text: string,
  { file, directPorts = UNPRIVILEGED_PORTS }: UsersFileOptions,
): readonly User[] {
  const problems: LineProblem[] = [];
  const users = new Map<string, { identity: Identity; keys: UserKey[] }>();
  const lineOfKey = new Map<string, number>();
  let armourEnd: string | undefined;

  for (const [index, raw] of text.split(/\r?\n/).entries()) {
    const line = index + 1;
    const complain = (message: string): void =>
      void problems.push({ line, message });
    if (armourEnd !== undefined) {
      if (raw.includes(armourEnd)) armourEnd = undefined;
      continue;
    }
    const content = raw.trim();
    if (content === "" || content.startsWith("#")) continue;
    const armour = explainArmour(content);
    if (armour) {
      complain(armour.message);
      armourEnd = armour.end;
      continue;
    }
    try {
      const { identity, key, comment } = parseKeyLine(content, directPorts);
      const base64 = key.blob.toString("base64");
      const twin = lineOfKey.get(base64);
      if (twin !== undefined) {
        complain(`the same key stands in line ${twin}`);
        continue;
      }
      lineOfKey.set(base64, line);
      const user = users.get(identity.id);
      if (!user) users.set(identity.id, { identity, keys: [] });
      else if (formatOptions(user.identity) !== formatOptions(identity))
        complain(
          `${identity.id} has other options here than in line ${user.keys[0]!.line}; lines of one identity must grant the same`,
        );
      users.get(identity.id)!.keys.push({ ...key, line, comment });
    } catch (error) {
      if (!(error instanceof KeyLineProblem)) throw error;
      complain(error.message);
    }
  }
  if (problems.length > 0) throw new UsersFileError(file, problems);
  return [...users.values()];
}

/** Says what a line is that begins something in several lines, and how that ends. Undefined: it begins no such thing. */
export function explainArmour(
  line: string,
): { message: string; end: string } | undefined {
  if (/BEGIN [A-Z0-9 ]*PRIVATE KEY|^PuTTY-User-Key-File/.test(line))
    return {
      message:
        "this is a PRIVATE key. Take it out, treat it as known to others, and put the public key here (the file that ends in .pub)",
      end: line.startsWith("PuTTY") ? "Private-MAC" : "-----END",
    };
  if (/^-----? ?BEGIN /.test(line))
    return {
      message:
        "this key is in another format; convert it with `ssh-keygen -i -f FILE` (SSH2) or `ssh-keygen -i -m PKCS8 -f FILE` (PEM)",
      end: line.startsWith("-----") ? "-----END" : "---- END",
    };
  return undefined;
}
