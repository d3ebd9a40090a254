// Lets a person edit a text in their editor.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readVariable, type Environment } from "../config/environment.ts";
import { ExposeError } from "../errors.ts";

/**
 * Opens the editor that VISUAL or EDITOR names and waits until it is closed. The text may hold secrets: it is in a folder
 * of its own that nobody else may read, and gone afterwards.
 *
 * @returns the text as it was saved
 * @throws ExposeError `editor-failed`
 */
export async function runEditor(
  text: string,
  env: Environment,
): Promise<string> {
  const editor =
    readVariable(env, "VISUAL") ?? readVariable(env, "EDITOR") ?? FALLBACK;
  const folder = await mkdtemp(join(tmpdir(), "expose-edit-"));
  const file = join(folder, "request.http");
  try {
    await writeFile(file, text, { mode: 0o600 });
    // As git does it: the variable may hold options, and the file's name is never part of a command.
    const child =
      process.platform === "win32"
        ? spawn(editor, [`"${file}"`], { shell: true, stdio: "inherit", env })
        : spawn("/bin/sh", ["-c", `${editor} "$1"`, "sh", file], {
            stdio: "inherit",
            env,
          });
    const [status, signal] = (await once(child, "close")) as [
      number | null,
      string | null,
    ];
    if (status !== 0)
      throw new ExposeError(
        "editor-failed",
        `The editor (${editor}) ended with ${signal ?? `status ${status}`}, so nothing was sent. VISUAL or EDITOR names another one.`,
      );
    return await readFile(file, "utf8");
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

const FALLBACK = process.platform === "win32" ? "notepad" : "vi";
