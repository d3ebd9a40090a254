// A process that writes to a history until it has written enough, or is killed: prints the id of each exchange once it is
// on disk. `node writer.cjs FILE COUNT BODY_BYTES [MAX_BYTES]`
import { writeSync } from "node:fs";
import { openHistoryFile } from "../history-file.ts";
import { makeRow } from "./make-row.ts";

const [file = "", count = "0", bodyBytes = "0", maxBytes = "67108864"] =
  process.argv.slice(2);
const history = openHistoryFile(
  {
    file,
    keepSecrets: false,
    maxBytes: Number(maxBytes),
    maxExchanges: 1_000_000,
    maxAgeMs: 86_400_000,
    patienceMs: 20_000,
  },
  (path) => say(`moved ${path}`),
);
for (let written = 0; written < Number(count);) {
  const rows = Array.from({ length: 5 }, (_, i) =>
    makeRow(
      { target: `/${process.pid}/${written + i}` },
      "x".repeat(Number(bodyBytes)),
    ),
  );
  history.write(rows);
  written += rows.length;
  for (const { exchange } of rows) say(`wrote ${exchange.id}`);
}
say("done");

// At once: what is in a buffer of a process that is killed was never said.
function say(line: string): void {
  writeSync(1, `${line}\n`);
}
