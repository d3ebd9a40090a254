// Which programs of others are installed.
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";

// sshd, nginx and haproxy are where the PATH of an ordinary account does not look.
const FOLDERS = [
  ...(process.env["PATH"] ?? "").split(delimiter),
  "/usr/sbin",
  "/usr/local/sbin",
];

/** Absolute path of a program, undefined when it is not installed. */
export function findProgram(name: string): string | undefined {
  return FOLDERS.map((folder) => join(folder, name)).find((path) => {
    try {
      accessSync(path, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/** Whether a program is installed. */
export const onPath = (name: string): boolean =>
  findProgram(name) !== undefined;

/** Names those that are not installed; undefined when all are. */
export function missingPrograms(...names: string[]): string | undefined {
  const missing = names.filter((name) => !onPath(name));
  return missing.length > 0
    ? `${missing.join(" and ")} not installed`
    : undefined;
}
