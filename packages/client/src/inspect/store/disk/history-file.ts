// The history in its file: rows of exchanges, oldest out first. Runs in the worker; every call blocks.
import type { Exchange, ExchangeMessage } from "@expose/protocol";
import { firstIdAt } from "../../exchange-id.ts";
import { redact } from "../redact.ts";
import { createDatabaseFile, type Database } from "./database.ts";
import { createTurns } from "./turn.ts";
import { withoutBodies } from "./without-bodies.ts";

/** Bounds and place of the history. */
export interface HistoryFileOptions {
  readonly file: string;
  readonly keepSecrets: boolean;
  readonly maxBytes: number;
  readonly maxExchanges: number;
  readonly maxAgeMs: number;
  /** How long another process may keep its turn. Default: 5 seconds. */
  readonly patienceMs?: number | undefined;
}

/** An exchange as it travels to the worker. */
export interface Row {
  readonly exchange: Exchange;
  readonly request: Uint8Array<ArrayBuffer>;
  readonly response: Uint8Array<ArrayBuffer>;
  readonly messages: readonly ExchangeMessage[];
}

/** What there is. */
export interface Totals {
  readonly exchanges: number;
  /** Size of the file. */
  readonly bytes: number;
}

/** See the file's head. */
export interface HistoryFile {
  write(rows: readonly Row[]): Totals;
  list(limit: number, before: string | undefined): Exchange[];
  get(id: string): Exchange | undefined;
  bodies(id: string): { request: Uint8Array; response: Uint8Array } | undefined;
  messages(id: string): readonly ExchangeMessage[] | undefined;
  clear(): Totals;
  totals(): Totals;
}

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS exchanges (
    id TEXT PRIMARY KEY,
    exchange TEXT NOT NULL,
    request BLOB,
    response BLOB,
    messages TEXT
  );
  CREATE TABLE IF NOT EXISTS totals (one INTEGER PRIMARY KEY CHECK (one = 1), exchanges INTEGER NOT NULL);
  INSERT OR IGNORE INTO totals VALUES (1, 0);
`;
// What a write may need beside its rows: pages that are half full, and those of the index.
const SLACK_BYTES = 256 * 1_024;
// A row that is a larger part of the whole would push out all others.
const MAX_ROW_SHARE = 8;
const PARTS = 4;

interface PreparedRow {
  /** About what it takes in the file. */
  readonly size: number;
  readonly values: (string | Uint8Array | null)[];
}

/** @param onMovedAside hears where a file went that could not be read */
export function openHistoryFile(
  options: HistoryFileOptions,
  onMovedAside: (path: string) => void,
): HistoryFile {
  const { file, keepSecrets, maxBytes, maxExchanges, maxAgeMs } = options;
  const turns = createTurns(file, options.patienceMs);
  const database = createDatabaseFile({
    ...{ file, turns, maxBytes, onMovedAside },
    schema: SCHEMA,
  });

  return {
    write: (rows) => database.use((db) => write(db, rows)),
    list: (limit, before) =>
      database.use((db) =>
        db
          .all(
            "SELECT exchange FROM exchanges WHERE id < ? ORDER BY id DESC LIMIT ?",
            [before ?? "~", limit],
          )
          .map((row) => JSON.parse(String(row["exchange"])) as Exchange),
      ),
    get: (id) => JSON.parse(column(id, "exchange") ?? "null") ?? undefined,
    bodies(id) {
      const row = database.use((db) =>
        db.get("SELECT request, response FROM exchanges WHERE id = ?", [id]),
      ) as { request: Uint8Array | null; response: Uint8Array | null } | null;
      return row
        ? { request: ownBytes(row.request), response: ownBytes(row.response) }
        : undefined;
    },
    messages(id) {
      const text = column(id, "messages");
      return text === undefined
        ? undefined
        : (JSON.parse(text) as ExchangeMessage[]);
    },
    clear: () =>
      database.use((db) => {
        db.exec("DELETE FROM exchanges; UPDATE totals SET exchanges = 0");
        giveBack(db);
        return totalsOf(db);
      }),
    totals: () => database.use(totalsOf),
  };

  function column(id: string, name: "exchange" | "messages") {
    const row = database.use((db) =>
      db.get(`SELECT ${name} AS value FROM exchanges WHERE id = ?`, [id]),
    );
    return row ? String(row["value"] ?? "[]") : undefined;
  }

  function write(db: Database, rows: readonly Row[]): Totals {
    const insert = db.prepare(
      "INSERT OR IGNORE INTO exchanges VALUES (?, ?, ?, ?, ?)",
    );
    try {
      for (const part of inParts(rows.map(prepare))) {
        makeRoom(db, part.rows.length, part.size);
        let added = 0;
        for (const { values } of part.rows) added += insert.run(values).changes;
        db.run("UPDATE totals SET exchanges = exchanges + ?", [added]);
      }
    } finally {
      insert.finalize();
    }
    return totalsOf(db);
  }

  // What comes at once may be more than all that may be kept: room is made for a part at a time.
  function inParts(
    rows: readonly PreparedRow[],
  ): { rows: PreparedRow[]; size: number }[] {
    const parts: { rows: PreparedRow[]; size: number }[] = [];
    for (const row of rows) {
      const last = parts.at(-1);
      if (
        last &&
        last.size + row.size <= maxBytes / PARTS &&
        last.rows.length < maxExchanges
      ) {
        last.rows.push(row);
        last.size += row.size;
      } else parts.push({ rows: [row], size: row.size });
    }
    return parts;
  }

  function prepare({
    exchange,
    request,
    response,
    messages,
  }: Row): PreparedRow {
    const clean = keepSecrets ? exchange : redact(exchange);
    const talk = messages.length === 0 ? null : JSON.stringify(messages);
    const size = request.length + response.length + (talk?.length ?? 0) + 4_096;
    const fits = size <= maxBytes / MAX_ROW_SHARE;
    const text = JSON.stringify(fits ? clean : withoutBodies(clean));
    return {
      size: fits ? size + text.length : text.length + 4_096,
      values: [
        exchange.id,
        text,
        fits && request.length > 0 ? request : null,
        fits && response.length > 0 ? response : null,
        fits ? talk : null,
      ],
    };
  }

  // Too many, too old, too large: the oldest go, before anything comes.
  function makeRoom(db: Database, rows: number, bytes: number): void {
    remove(db, "id < ?", [firstIdAt(Date.now() - maxAgeMs)]);
    const surplus = countOf(db) + rows - maxExchanges;
    if (surplus > 0) removeOldest(db, surplus);
    const budget = Math.max(0, maxBytes - bytes - SLACK_BYTES);
    while (usedBytes(db) > budget) {
      const count = countOf(db);
      if (count === 0) break;
      removeOldest(db, Math.max(1, Math.ceil(count / 20)));
    }
    giveBack(db);
  }

  function removeOldest(db: Database, count: number): void {
    remove(db, "id IN (SELECT id FROM exchanges ORDER BY id LIMIT ?)", [count]);
  }

  function remove(
    db: Database,
    where: string,
    values: (string | number)[],
  ): void {
    const { changes } = db.run(`DELETE FROM exchanges WHERE ${where}`, values);
    if (changes > 0)
      db.run("UPDATE totals SET exchanges = exchanges - ?", [changes]);
  }

  // Pages that are free serve again; the file shrinks only when it is larger than it may be.
  function giveBack(db: Database): void {
    const surplus =
      pragma(db, "page_count") - Math.floor(maxBytes / pragma(db, "page_size"));
    if (surplus > 0) db.exec(`PRAGMA incremental_vacuum(${surplus})`);
  }
}

// What travels to another thread takes the whole of its buffer along.
const ownBytes = (bytes: Uint8Array | null): Uint8Array =>
  bytes ? new Uint8Array(bytes) : new Uint8Array();

const countOf = (db: Database): number =>
  Number(db.get("SELECT exchanges FROM totals")?.["exchanges"]);

const usedBytes = (db: Database): number =>
  (pragma(db, "page_count") - pragma(db, "freelist_count")) *
  pragma(db, "page_size");

const totalsOf = (db: Database): Totals => ({
  exchanges: countOf(db),
  bytes: pragma(db, "page_count") * pragma(db, "page_size"),
});

const pragma = (db: Database, name: string): number =>
  Number(Object.values(db.get(`PRAGMA ${name}`) ?? {})[0]);
