// Expands `~`, `${VARIABLE}` and %-tokens in the values of ssh_config(5), as its section TOKENS says.
import { join } from "node:path";
import { ExposeError } from "../errors.ts";

/** What a value may refer to. */
export interface PathContext {
  home: string;
  env: NodeJS.ProcessEnv;
  /** Values of the %-tokens by letter; absent: `%` stands for itself. */
  tokens: Readonly<Record<string, string>> | undefined;
  /** Where the value stands, for the error message: `IdentityFile of "vps"`. */
  where: string;
}

/**
 * Expands a path of ssh_config(5). A relative path stays relative.
 *
 * @throws ExposeError `config-invalid` when it names a token or variable that there is not, or another user's home
 */
export function expandPath(path: string, context: PathContext): string {
  return expandHome(
    expandTokens(expandVariables(path, context), context),
    context,
  );
}

/** Expands the %-tokens alone; `%%` is a percent sign. @throws ExposeError `config-invalid` */
export function expandTokens(
  text: string,
  { tokens, where }: Pick<PathContext, "tokens" | "where">,
): string {
  if (!tokens) return text;
  return text.replace(/%(.?)/g, (token, letter: string) => {
    if (letter === "%") return "%";
    const value = Object.hasOwn(tokens, letter) ? tokens[letter] : undefined;
    if (value === undefined)
      throw invalid(where, text, `the token ${token} is not known there`);
    return value;
  });
}

function expandVariables(path: string, { env, where }: PathContext): string {
  return path.replace(/\$\{([^}]*)\}/g, (_, name: string) => {
    const value = env[name];
    if (value === undefined)
      throw invalid(where, path, `the environment has no ${name}`);
    return value;
  });
}

function expandHome(path: string, { home, where }: PathContext): string {
  if (path === "~") return home;
  if (path.startsWith("~/")) return join(home, path.slice(2));
  if (path.startsWith("~"))
    throw invalid(
      where,
      path,
      "another user's home is not looked up; write the whole path",
    );
  return path;
}

function invalid(where: string, text: string, reason: string): ExposeError {
  return new ExposeError(
    "config-invalid",
    `${where}: "${text}" cannot be used, because ${reason}.`,
  );
}
