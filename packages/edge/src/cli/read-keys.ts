// Public keys as people give them to `expose-edge keys add`: the key itself, a file, or stdin.
import { readFile, stat } from "node:fs/promises";
import type { Readable } from "node:stream";
import { EdgeError } from "../errors.ts";
import type { NewKey } from "../registry/edit-users-file.ts";
import {
  isKeyType,
  PublicKeyProblem,
  readPublicKey,
} from "../registry/public-key.ts";
import { explainArmour } from "../registry/users-file.ts";

const MAX_INPUT_BYTES = 256 * 1024;

/**
 * Reads one key or several, one a line (what `curl https://github.com/NAME.keys` gives).
 *
 * @param given the key as text, the path of a file, or `-` for stdin
 * @throws EdgeError `key-invalid`; the message quotes nothing of what was read
 */
export async function readKeys(
  given: string,
  stdin: Readable,
): Promise<NewKey[]> {
  const literal =
    isKeyType(given.trim().split(/\s/, 1)[0]!) || given.includes("\n");
  const source = literal ? "the given text" : given === "-" ? "stdin" : given;
  const text = literal
    ? given
    : given === "-"
      ? await readAll(stdin)
      : await readKeyFile(given);
  const keys: NewKey[] = [];
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    const content = line.trim();
    if (content === "" || content.startsWith("#")) continue;
    keys.push(readLine(content, `${source}, line ${index + 1}`));
  }
  if (keys.length === 0) throw invalid(`There is no key in ${source}.`);
  return keys;
}

function readLine(line: string, where: string): NewKey {
  const armour = explainArmour(line);
  if (armour) throw invalid(`In ${where}: ${armour.message}.`);
  const [type = "", base64 = "", ...comment] = line.split(/\s+/);
  if (!isKeyType(type))
    throw invalid(
      `In ${where} there is no public key. A key reads \`ssh-ed25519 AAAA… comment\`; options are given as --names, --max-tunnels and --direct-ports.`,
    );
  try {
    return { key: readPublicKey(type, base64), comment: comment.join(" ") };
  } catch (error) {
    if (!(error instanceof PublicKeyProblem)) throw error;
    throw invalid(`In ${where}: ${error.message}.`, error);
  }
}

async function readKeyFile(path: string): Promise<string> {
  try {
    const { size } = await stat(path);
    if (size > MAX_INPUT_BYTES)
      throw invalid(
        `${path} is too large to be a public key; give the file that ends in .pub.`,
      );
    return await readFile(path, "utf8");
  } catch (error) {
    if (error instanceof EdgeError) throw error;
    throw invalid(
      `${JSON.stringify(path)} is neither a public key nor a file that can be read (${(error as NodeJS.ErrnoException).code}). Give \`ssh-ed25519 AAAA…\` in quotes, the path of a .pub file, or - for stdin.`,
      error,
    );
  }
}

async function readAll(stdin: Readable): Promise<string> {
  let text = "";
  for await (const chunk of stdin) {
    text += String(chunk);
    if (text.length > MAX_INPUT_BYTES)
      throw invalid("stdin holds too much to be public keys.");
  }
  return text;
}

const invalid = (message: string, cause?: unknown): EdgeError =>
  new EdgeError("key-invalid", message, { cause });
