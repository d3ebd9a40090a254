// What the store asks of the history on disk. Everything returns at once; what takes time happens elsewhere.
import type { Exchange, ExchangeMessage } from "@expose/protocol";
import type { StoredBodies, StoredExchange } from "../capture.ts";

/** The history on disk of all clients of this user. */
export interface History {
  /**
   * Takes finished exchanges, with nothing redacted yet, to be written soon. Never throws. Reads what it wants of them
   * before it returns; large bodies are the history's own then, and empty for everybody else.
   */
  write(exchanges: readonly StoredExchange[]): void;
  /** Those that are older than `before`, newest first. */
  list(limit: number, before: string | undefined): Promise<Exchange[]>;
  get(id: string): Promise<Exchange | undefined>;
  bodies(id: string): Promise<StoredBodies | undefined>;
  messages(id: string): Promise<readonly ExchangeMessage[] | undefined>;
  clear(): Promise<void>;
  /** As last heard. */
  readonly exchanges: number;
  readonly bytes: number;
  readonly file: string;
  /** Set once the history cannot be used any more: a sentence for people. */
  readonly failure: string | undefined;
  /** Writes what is left. Idempotent. */
  close(): Promise<void>;
}
