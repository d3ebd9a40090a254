// Runs a program in the root of the checkout with our own terminal.
import { spawn } from "node:child_process";
import { inRoot } from "./paths.mjs";

/**
 * @param {string[]} command program and arguments
 * @param {{ env?: Record<string, string>, timeoutMs?: number, stdoutToStderr?: boolean }} [options] `env` comes on top of our
 *   own; after `timeoutMs` the program is killed; with `stdoutToStderr` our own stdout stays free
 * @returns {Promise<boolean>} whether it ended with status 0; a program that cannot be started is said and is false
 */
export function run(
  [program, ...args],
  { env = {}, timeoutMs, stdoutToStderr = false } = {},
) {
  return new Promise((resolve) => {
    const child = spawn(program, args, {
      cwd: inRoot(),
      env: { ...process.env, ...env },
      stdio: ["inherit", stdoutToStderr ? 2 : "inherit", "inherit"],
      timeout: timeoutMs,
      killSignal: "SIGKILL",
    });
    child.on("error", (error) => {
      console.error(`${program} cannot be started: ${error.message}`);
      resolve(false);
    });
    child.on("close", (status, signal) => {
      if (signal) console.error(`${program} was ended by ${signal}`);
      resolve(status === 0);
    });
  });
}
