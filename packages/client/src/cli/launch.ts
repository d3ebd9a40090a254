// Entry of the built command: runs the program beside it (main.ts), which parses and compiles itself only the first time.
// docs/decisions/0007-code-cache.md says why.
import { readFileSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { constants, Script } from "node:vm";
import { openCodeCache } from "./code-cache.ts";

/** Set by infra/dev/bundle.mjs: the program's file name, and a hash of what is in it. */
declare const PROGRAM: { readonly file: string; readonly hash: string };

// A tunnel is open by then, and most of what will ever be compiled has been. Shorter runs leave nothing.
const WARM_MS = 3_000;

const file = join(dirname(fileURLToPath(import.meta.url)), PROGRAM.file);
const cache = openCodeCache({
  // The time as well: a program that was changed by hand, or is being built, is not the one that the hash is of.
  program: `${PROGRAM.hash}-${Math.round(statSync(file).mtimeMs)}`,
  env: process.env,
  home: homedir(),
});
const cachedData = cache?.read();
// The bundle is one function expression, and in ASCII: nothing is copied or decoded.
const script = new Script(readFileSync(file, "latin1"), {
  filename: file,
  importModuleDynamically: constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
  ...(cachedData && { cachedData }),
});
if (cache && (!cachedData || script.cachedDataRejected))
  setTimeout(() => cache.write(script.createCachedData()), WARM_MS).unref();

const module = { exports: {} };
(script.runInThisContext() as CommonJs)(
  module.exports,
  createRequire(file),
  module,
  file,
  dirname(file),
);

type CommonJs = (
  exports: object,
  require: NodeJS.Require,
  module: { exports: object },
  filename: string,
  folder: string,
) => void;
