// Lets one process at a time do something to the checkout: a second `npm start` waits for the first one's build.
import {
  linkSync,
  mkdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { setTimeout } from "node:timers/promises";
import { inRoot } from "./paths.mjs";

const POLL_MS = 100;
// Ten seconds: longer than a build takes.
const SAY_AFTER = 100;

/** Runs `work` while no other process does anything under the same name. */
export async function withLock(name, work) {
  mkdirSync(inRoot(".cache"), { recursive: true });
  const lock = inRoot(`.cache/${name}.lock`);
  for (let tries = 0; !take(lock); tries++) {
    if (tries === SAY_AFTER)
      console.log(
        `waiting for another process (${name}); if there is none, remove ${lock}`,
      );
    await setTimeout(POLL_MS);
  }
  try {
    return await work();
  } finally {
    rmSync(lock, { force: true });
  }
}

function take(lock) {
  // A link appears with its content or not at all, so nobody ever reads a lock without an owner in it.
  const own = `${lock}.${process.pid}`;
  writeFileSync(own, String(process.pid));
  try {
    linkSync(own, lock);
    return true;
  } catch (error) {
    if (error.code !== "EEXIST") throw error;
    if (!ownerLives(lock)) rmSync(lock, { force: true });
    return false;
  } finally {
    rmSync(own);
  }
}

function ownerLives(lock) {
  try {
    process.kill(Number(readFileSync(lock, "utf8")), 0);
    return true;
  } catch (error) {
    // EPERM: somebody else's process, which lives. ENOENT: released just now; the next try takes it.
    return error.code !== "ESRCH";
  }
}
