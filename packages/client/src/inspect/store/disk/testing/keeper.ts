// A process with a history behind its worker that takes more than its disk has: prints what it warns of, and `closed`.
// `node keeper.cjs WORKER FILE`
import { openHistory } from "../open-history.ts";
import { makeRow } from "./make-row.ts";

void main();

async function main(): Promise<void> {
  const [workerFile = "", file = ""] = process.argv.slice(2);
  const history = openHistory({
    file,
    workerFile,
    keepSecrets: false,
    maxBytes: 64 * 1_024 * 1_024,
    maxExchanges: 10_000,
    maxAgeMs: 86_400_000,
    warn: (sentence) => process.stdout.write(`warning ${sentence}\n`),
  });
  for (let i = 0; i < 30; i++) {
    const { exchange } = makeRow();
    const bodies = {
      request: Buffer.alloc(0),
      response: Buffer.alloc(100_000, i),
    };
    history.write([{ exchange, bodies, messages: [] }]);
    // Makes it write at once.
    await history.list(1, undefined);
  }
  await history.close();
  process.stdout.write("closed\n");
}
