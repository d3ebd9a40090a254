// How an exchange ended, in words and a mark, so that no colour is needed to know it.
import type { ExchangeSummary } from "@expose/protocol";

/** Names a colour of the style sheet. */
export type Tone = "good" | "info" | "warn" | "bad" | "quiet";

export interface Outcome {
  /** What stands in the table: `200`, `…`, `cut`. */
  readonly text: string;
  /** What a screen reader says and a title shows. */
  readonly label: string;
  readonly tone: Tone;
  /** A shape a class of outcome: tells them apart without colour. */
  readonly mark: string;
}

/** Describes status and state of an exchange. */
export function describeOutcome(exchange: ExchangeSummary): Outcome {
  const { status, state, kind } = exchange;
  const cut =
    state === "aborted"
      ? ", cut off"
      : state === "broken"
        ? ", capture broken"
        : "";
  if (status !== undefined)
    return {
      ...(CLASSES[Math.floor(status / 100)] ?? UNKNOWN),
      text: String(status),
      label: `${status}${cut}`,
      ...(cut && { mark: "✕" }),
    };
  if (state === "open")
    return { text: "…", label: "still open", tone: "quiet", mark: "○" };
  if (state === "broken")
    return { text: "—", label: "capture broken", tone: "warn", mark: "✕" };
  if (state === "aborted")
    return {
      text: "—",
      label: "cut off before a response",
      tone: "bad",
      mark: "✕",
    };
  return {
    text: "—",
    label: kind === "raw" ? "connection" : "no status",
    tone: "quiet",
    mark: "●",
  };
}

const UNKNOWN = { tone: "quiet", mark: "?" } as const;
const CLASSES: Partial<Record<number, Pick<Outcome, "tone" | "mark">>> = {
  1: { tone: "info", mark: "⇄" },
  2: { tone: "good", mark: "●" },
  3: { tone: "info", mark: "↪" },
  4: { tone: "warn", mark: "▲" },
  5: { tone: "bad", mark: "■" },
};
