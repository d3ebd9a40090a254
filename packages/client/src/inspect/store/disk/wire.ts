// What the client and its history worker say to each other.
import type { Row } from "./history-file.ts";

/** What the client wants. */
export type Question =
  | { readonly what: "write" }
  | {
      readonly what: "list";
      readonly limit: number;
      readonly before: string | undefined;
    }
  | { readonly what: "get" | "bodies" | "messages"; readonly id: string }
  | { readonly what: "clear" | "totals" | "close" };

/** A question by number; the answer bears the same. */
export type Call = Question & { readonly call: number };

/** Rows for the next `write`; they are not answered. */
export interface Addition {
  readonly rows: readonly Row[];
}

/** What the worker says. */
export type Report =
  | { readonly call: number; readonly value: unknown }
  | { readonly call: number; readonly failure: Failure }
  | { readonly movedAside: string };

/** Why a call failed. */
export interface Failure {
  /** `turn` may pass by itself. */
  readonly kind: "turn" | "other";
  /** A sentence for people. */
  readonly reason: string;
}
