// What a webhook's signature came to, in words and a mark.
import type { WebhookFacts } from "@expose/protocol";
import type { Tone } from "./status.ts";

export interface Verdict {
  readonly mark: string;
  readonly tone: Tone;
  /** A word. */
  readonly text: string;
  readonly title: string;
}

/** Describes a verdict. */
export function describeVerdict(webhook: WebhookFacts): Verdict {
  const base = VERDICTS[webhook.verdict] ?? VERDICTS.unchecked;
  return { ...base, title: webhook.reason ?? base.sentence };
}

const VERDICTS = {
  verified: {
    mark: "✓",
    tone: "good",
    text: "verified",
    sentence: "The signature is right.",
  },
  failed: {
    mark: "✗",
    tone: "bad",
    text: "failed",
    sentence: "The signature is not right.",
  },
  unchecked: {
    mark: "?",
    tone: "quiet",
    text: "not checked",
    sentence: "The signature was not checked.",
  },
} as const;
