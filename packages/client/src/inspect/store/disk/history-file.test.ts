// The history in a real file.
import {
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { firstIdAt } from "../../exchange-id.ts";
import { openHistoryFile, type HistoryFileOptions } from "./history-file.ts";
import { makeRow } from "./testing/make-row.ts";

function useHistory(options: Partial<HistoryFileOptions> = {}) {
  const folder = mkdtempSync(join(tmpdir(), "expose-history-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, "state", "history.sqlite");
  const movedAside: string[] = [];
  const open = () =>
    openHistoryFile(
      {
        file,
        keepSecrets: false,
        maxBytes: 16 * 1_024 * 1_024,
        maxExchanges: 10_000,
        maxAgeMs: 86_400_000,
        ...options,
      },
      (path) => movedAside.push(path),
    );
  return { file, folder: join(folder, "state"), movedAside, open };
}

test("what was written is there after a restart, without its secrets", () => {
  const { open } = useHistory();
  const row = makeRow({}, "körper");
  const first = open();
  first.write([row]);
  const { id } = row.exchange;
  const later = open();
  expect(later.list(10, undefined).map((each) => each.id)).toEqual([id]);
  expect(later.get(id)).toMatchObject({
    status: 200,
    request: { headers: [["Authorization", "[redacted]"]] },
    redacted: ["authorization"],
  });
  expect(Buffer.from(later.bodies(id)!.response).toString()).toBe("körper");
  expect(later.messages(id)).toEqual([]);
  expect(later.get("gone")).toBeUndefined();
  expect(later.bodies("gone")).toBeUndefined();
  expect(later.messages("gone")).toBeUndefined();
  expect(later.clear()).toMatchObject({ exchanges: 0 });
  expect(later.list(10, undefined)).toEqual([]);
});

test("secrets are written when somebody asks for it", () => {
  const { open } = useHistory({ keepSecrets: true });
  const history = open();
  const row = makeRow();
  history.write([row]);
  expect(history.get(row.exchange.id)).toEqual(row.exchange);
});

test("only its owner can read the file, and nothing is left beside it", () => {
  const { file, folder, open } = useHistory();
  const history = open();
  history.write([makeRow()]);
  expect(statSync(file).mode & 0o777).toBe(0o600);
  expect(statSync(folder).mode & 0o777).toBe(0o700);
  expect(readdirSync(folder)).toEqual(["history.sqlite"]);
});

test("pages of a list go on where the one before ended", () => {
  const { open } = useHistory();
  const history = open();
  const rows = Array.from({ length: 25 }, () => makeRow());
  history.write(rows);
  const seen: string[] = [];
  for (let before: string | undefined; ; before = seen.at(-1)) {
    const page = history.list(10, before);
    if (page.length === 0) break;
    seen.push(...page.map(({ id }) => id));
  }
  expect(seen).toEqual(rows.map(({ exchange }) => exchange.id).reverse());
});

test("the oldest go when there are too many", () => {
  const { open } = useHistory({ maxExchanges: 100 });
  const history = open();
  const rows = Array.from({ length: 250 }, () => makeRow());
  for (let at = 0; at < rows.length; at += 30)
    history.write(rows.slice(at, at + 30));
  expect(history.totals().exchanges).toBe(100);
  expect(history.list(1_000, undefined).map(({ id }) => id)).toEqual(
    rows
      .slice(-100)
      .map(({ exchange }) => exchange.id)
      .reverse(),
  );
});

test("those that are too old go with the next write", () => {
  const { open } = useHistory({ maxAgeMs: 60_000 });
  const history = open();
  history.write([makeRow({ id: firstIdAt(Date.now() - 61_000) })]);
  const fresh = makeRow();
  history.write([fresh]);
  expect(history.list(10, undefined).map(({ id }) => id)).toEqual([
    fresh.exchange.id,
  ]);
});

test("the file never grows over its bound, whatever is written", () => {
  const maxBytes = 2 * 1_024 * 1_024;
  const { file, open } = useHistory({ maxBytes });
  const history = open();
  let last = "";
  for (let i = 0; i < 20; i++) {
    const rows = Array.from({ length: 20 }, (_, j) =>
      makeRow({}, "x".repeat(((i * 20 + j) * 7_919) % 100_000)),
    );
    last = rows.at(-1)!.exchange.id;
    history.write(rows);
    expect(statSync(file).size).toBeLessThanOrEqual(maxBytes);
  }
  expect(history.get(last)).toBeDefined();
  expect(history.totals().exchanges).toBeGreaterThan(5);
  // One that would push out everything else is kept without its bodies.
  const large = makeRow({}, "y".repeat(maxBytes));
  history.write([large]);
  expect(history.bodies(large.exchange.id)!.response).toHaveLength(0);
  expect(history.totals().exchanges).toBeGreaterThan(5);
});

test("a file that was larger shrinks to a smaller bound", () => {
  const { file, open } = useHistory();
  const before = open();
  for (let i = 0; i < 8; i++)
    before.write(
      Array.from({ length: 10 }, () => makeRow({}, "z".repeat(99_999))),
    );
  expect(statSync(file).size).toBeGreaterThan(7_000_000);
  const smaller = openHistoryFile(
    {
      file,
      keepSecrets: false,
      maxBytes: 1_024 * 1_024,
      maxExchanges: 1_000,
      maxAgeMs: 86_400_000,
    },
    () => {},
  );
  smaller.write([makeRow()]);
  expect(statSync(file).size).toBeLessThanOrEqual(1_024 * 1_024);
});

test.each([
  ["is no database", Buffer.from("this is no database at all".repeat(200))],
  ["is damaged", undefined],
])("a file that %s is moved aside and a new one begun", (_what, content) => {
  const { file, folder, movedAside, open } = useHistory();
  const history = open();
  history.write(Array.from({ length: 50 }, () => makeRow({}, "x".repeat(900))));
  if (content) writeFileSync(file, content);
  else {
    const size = statSync(file).size;
    writeFileSync(file, Buffer.alloc(size - 4_096, 0xa5), { flag: "r+" });
  }
  const row = makeRow();
  history.write([row]);
  expect(movedAside).toHaveLength(1);
  expect(statSync(movedAside[0]!).size).toBeGreaterThan(0);
  expect(movedAside[0]!.startsWith(folder)).toBe(true);
  expect(history.list(10, undefined).map(({ id }) => id)).toEqual([
    row.exchange.id,
  ]);
});
