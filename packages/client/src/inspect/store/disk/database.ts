// Opens the database file for one piece of work at a time, in turns with other processes.
//
// The WebAssembly build of SQLite has no shared memory, and in its rollback mode a crash is never rolled back: it takes
// its own lock folder for a living writer (tried: of 3,000 rows of a killed transaction 2,965 stayed changed). In
// WAL mode with an exclusive lock it needs no shared memory and recovers, so each piece of work opens the file anew.
import {
  chmodSync,
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  renameSync,
  rmdirSync,
} from "node:fs";
import { dirname } from "node:path";
import { Database } from "node-sqlite3-wasm";
import type { Turns } from "./turn.ts";

export type { Database };

/** A file that is opened for each piece of work. */
export interface DatabaseFile {
  /**
   * @throws TurnError, and what SQLite says; nothing of the work is kept then
   */
  use<T>(work: (database: Database) => T): T;
}

/** What the file is like. */
export interface DatabaseOptions {
  readonly file: string;
  readonly turns: Turns;
  /** The file never grows beyond it. */
  readonly maxBytes: number;
  /** Statements that make the tables, each "if not exists". */
  readonly schema: string;
  /** A file that cannot be read was moved aside. */
  onMovedAside(path: string): void;
}

const PAGE_BYTES = 4_096;
// SQLite's own bound.
const MAX_PAGES = 4_294_967_294;

export function createDatabaseFile(options: DatabaseOptions): DatabaseFile {
  const { file, turns, maxBytes, schema, onMovedAside } = options;

  return {
    use(work) {
      mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
      return turns.take(() => {
        try {
          return openAndUse(work);
        } catch (error) {
          if (!isCorrupt(error)) throw error;
          onMovedAside(moveAside());
          return openAndUse(work);
        }
      });
    },
  };

  function openAndUse<T>(work: (database: Database) => T): T {
    prepareFiles();
    const database = new Database(file);
    try {
      configure(database);
      database.exec("BEGIN IMMEDIATE");
      const result = work(database);
      database.exec("COMMIT");
      return result;
    } catch (error) {
      rollBack(database);
      throw error;
    } finally {
      database.close();
    }
  }

  function prepareFiles(): void {
    // We have the turn: whoever made this lock is dead.
    removeStaleLock(`${file}.lock`);
    // SQLite would make them readable for everybody.
    for (const path of [file, `${file}-wal`]) {
      if (!existsSync(path)) closeSync(openSync(path, "a", 0o600));
    }
    chmodSync(file, 0o600);
  }

  function configure(database: Database): void {
    database.exec("PRAGMA locking_mode = EXCLUSIVE");
    database.exec(`PRAGMA page_size = ${PAGE_BYTES}`);
    database.exec("PRAGMA auto_vacuum = INCREMENTAL");
    const { journal_mode: mode } = database.get(
      "PRAGMA journal_mode = WAL",
    ) as { journal_mode: string };
    if (mode !== "wal") throw new Error("The database has no WAL mode.");
    // A power cut may cost the last exchanges, not the file.
    database.exec("PRAGMA synchronous = NORMAL");
    database.exec(
      `PRAGMA max_page_count = ${Math.min(MAX_PAGES, Math.floor(maxBytes / PAGE_BYTES))}`,
    );
    database.exec(schema);
  }

  function moveAside(): string {
    const stamp = new Date().toISOString().replace(/[:.]/g, "-");
    const aside = `${file}.corrupt-${stamp}`;
    renameSync(file, aside);
    for (const suffix of ["-wal", "-journal"])
      if (existsSync(file + suffix)) renameSync(file + suffix, aside + suffix);
    return aside;
  }
}

function rollBack(database: Database): void {
  try {
    if (database.inTransaction) database.exec("ROLLBACK");
  } catch {
    // The error before is the one that counts, and closing drops the transaction as well.
  }
}

function removeStaleLock(path: string): void {
  try {
    rmdirSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
  }
}

const isCorrupt = (error: unknown): boolean =>
  error instanceof Error &&
  /not a database|malformed|file is encrypted/i.test(error.message);
