// Installs the newest Node LTS into .cache, without scripts and against its lock file, and prints where its binary is.
import { cpSync, existsSync } from "node:fs";
import { fingerprint } from "./fingerprint.mjs";
import { inRoot } from "./paths.mjs";
import { run } from "./run.mjs";

const SOURCE = "infra/dev/node-lts";
// Another lock file, another folder: nothing has to be found out about what is there.
const folder = `.cache/node-lts-${fingerprint([SOURCE]).slice(0, 12)}`;
const binary = inRoot(
  `${folder}/node_modules/node-${process.platform}-${process.arch}/bin/node`,
);

if (!existsSync(binary)) {
  cpSync(inRoot(SOURCE), inRoot(folder), { recursive: true });
  const installed = await run(
    // npm takes an optional package that it cannot fetch for one that is not wanted, so it has to try hard.
    [
      ...["npm", "ci", "--ignore-scripts", "--prefix", inRoot(folder)],
      ...["--fetch-retries=6", "--fetch-retry-maxtimeout=20000"],
    ],
    { stdoutToStderr: true },
  );
  if (!installed || !existsSync(binary)) {
    console.error(
      `The newest Node LTS could not be installed for ${process.platform}-${process.arch}; see ${SOURCE}/package.json.`,
    );
    process.exit(1);
  }
}
process.stdout.write(`${binary}\n`);
