// The bounds of the history while far more is written than it may hold. In CI some thousands; for the million:
// HISTORY_ROWS=1000000 npx vitest run --project unit packages/client/src/inspect/store/disk/history-bounds
import { mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { openHistoryFile } from "./history-file.ts";
import { makeRow } from "./testing/make-row.ts";

const ROWS = Number(process.env["HISTORY_ROWS"] ?? 6_000);
const BATCH = 500;
// The share of the defaults (50,000 exchanges, 256 MiB) that the number of rows is of a million, at least a fiftieth.
const SHARE = Math.max(0.02, Math.min(1, ROWS / 1_000_000));

test(
  "rows and bytes stay below their bounds, whatever comes",
  { timeout: 60_000 + ROWS * 2 },
  () => {
    const folder = mkdtempSync(join(tmpdir(), "expose-bounds-"));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    const file = join(folder, "history.sqlite");
    const maxExchanges = Math.round(50_000 * SHARE);
    const maxBytes = Math.round(256 * 1_024 * 1_024 * SHARE);
    const history = openHistoryFile(
      {
        ...{ file, maxBytes, maxExchanges },
        keepSecrets: false,
        maxAgeMs: 86_400_000,
      },
      (path) => expect.fail(`moved ${path}`),
    );
    let largest = 0;
    let most = 0;
    let newest = "";
    const startedAt = performance.now();
    for (let written = 0; written < ROWS; written += BATCH) {
      // A long spell of bodies in the middle: there the bytes are what is short, else the rows.
      const isLarge = written > ROWS / 3 && written < ROWS / 2;
      const rows = Array.from({ length: BATCH }, (_, i) =>
        makeRow({}, "x".repeat(isLarge ? 20_000 : (i * 7_919) % 1_500)),
      );
      newest = rows.at(-1)!.exchange.id;
      const { exchanges } = history.write(rows);
      most = Math.max(most, exchanges);
      largest = Math.max(
        largest,
        ...readdirSync(folder).map((name) => statSync(join(folder, name)).size),
      );
    }
    const seconds = (performance.now() - startedAt) / 1_000;
    // A figure for docs/decisions/0008-capture.md, not a complaint.
    process.stdout.write(
      `${ROWS} exchanges in ${seconds.toFixed(1)} s: at most ${most} of ${maxExchanges} kept, file at most ${largest} of ${maxBytes} bytes, this process ${Math.round(process.memoryUsage.rss() / 1_048_576)} MiB\n`,
    );
    expect(most).toBeLessThanOrEqual(maxExchanges);
    // Something is kept, too.
    expect(most).toBeGreaterThan(maxExchanges / 2);
    expect(largest).toBeLessThanOrEqual(maxBytes);
    expect(history.get(newest)).toBeDefined();
    expect(history.list(maxExchanges * 2, undefined)).toHaveLength(
      history.totals().exchanges,
    );
  },
);
