// Loaded into a process by NODE_OPTIONS=--import: on SIGUSR2 it collects garbage and writes what the process holds, as one
// line of JSON, to `PID.json` in the folder EXPOSE_PROBE_DIR.
import { readdirSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

const folder = process.env.EXPOSE_PROBE_DIR;
if (folder) {
  setFlagsFromString("--expose-gc");
  const collectGarbage = runInNewContext("gc");
  process.on("SIGUSR2", () => {
    collectGarbage();
    const { rss, heapUsed, external } = process.memoryUsage();
    const resources = {};
    for (const type of process.getActiveResourcesInfo())
      resources[type] = (resources[type] ?? 0) + 1;
    const descriptors = readdirSync("/proc/self/fd").length;
    const file = join(folder, `${process.pid}.json`);
    writeFileSync(
      `${file}.new`,
      JSON.stringify({ rss, heapUsed, external, descriptors, resources }),
    );
    renameSync(`${file}.new`, file);
  });
}
