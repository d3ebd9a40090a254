// Reads the token that locks the inspector's API: from a file or from the environment, never from the command line, which
// every user of a machine can read.
import { readFile } from "node:fs/promises";
import { readVariable, type Environment } from "../config/environment.ts";
import { ExposeError } from "../errors.ts";
import { isGoodToken, MIN_TOKEN_CHARACTERS } from "../inspect/server/token.ts";

/**
 * @param file of `--api-token`; goes before EXPOSE_API_TOKEN
 * @returns undefined when there is neither
 * @throws ExposeError `usage-invalid` for a file that cannot be read, and for a token that could be guessed or not be sent
 */
export async function readApiToken(
  file: string | undefined,
  env: Environment,
): Promise<string | undefined> {
  const text =
    file === undefined
      ? readVariable(env, "EXPOSE_API_TOKEN")
      : await read(file);
  if (text === undefined) return undefined;
  const token = text.trim();
  if (isGoodToken(token)) return token;
  throw new ExposeError(
    "usage-invalid",
    `The API token of ${file === undefined ? "EXPOSE_API_TOKEN" : `the file ${file}`} cannot be used: write at least ${MIN_TOKEN_CHARACTERS} letters, digits and ._~+/- without blanks, as \`openssl rand -hex 32\` makes them.`,
  );
}

async function read(file: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    throw new ExposeError(
      "usage-invalid",
      `--api-token: the file ${file} cannot be read (${(error as NodeJS.ErrnoException).code ?? String(error)}).`,
      { cause: error },
    );
  }
}
