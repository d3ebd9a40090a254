// Where the client's configuration is.
import { isAbsolute, join, resolve } from "node:path";
import { readVariable, type Environment } from "./environment.ts";

/** What decides where the file is. */
export interface ConfigLocation {
  env: Environment;
  /** The home folder. */
  home: string;
  /** `--config`. */
  config?: string | undefined;
}

/**
 * Gives the file's path: `--config`, else EXPOSE_CONFIG, else config.yaml in the folder for it.
 * @returns `named` whether somebody asked for this very file, so that it has to exist
 */
export function locateConfig(location: ConfigLocation): {
  path: string;
  named: boolean;
} {
  const named = location.config ?? readVariable(location.env, "EXPOSE_CONFIG");
  if (named !== undefined)
    return { path: expandHome(named, location.home, "."), named: true };
  return { path: join(configFolder(location), "config.yaml"), named: false };
}

/** Gives the folder that is ours: on every system the one of XDG's, which people find again over SSH. */
function configFolder({
  env,
  home,
}: Pick<ConfigLocation, "env" | "home">): string {
  return ourFolder(readVariable(env, "XDG_CONFIG_HOME"), join(home, ".config"));
}

/** Gives the folder for what outlives a run but is no configuration. */
export function stateFolder({
  env,
  home,
}: Pick<ConfigLocation, "env" | "home">): string {
  return ourFolder(
    readVariable(env, "XDG_STATE_HOME"),
    join(home, ".local", "state"),
  );
}

// XDG Base Directory Specification: relative paths in these variables are to be ignored.
const ourFolder = (variable: string | undefined, fallback: string): string =>
  join(
    variable !== undefined && isAbsolute(variable) ? variable : fallback,
    "expose",
  );

/** Makes a path absolute; `~` stands for the home folder. */
export function expandHome(path: string, home: string, from: string): string {
  return resolve(
    from,
    path.replace(/^~(?=\/|$)/, () => home),
  );
}
