// Holds a request against the secrets of its provider, over the exact bytes that arrived.
import type { WebhookFacts } from "@expose/protocol";
import { diagnose } from "./diagnose.ts";
import { holdsForKey } from "./holds.ts";
import type {
  SignatureClaim,
  SignedContent,
  WebhookProvider,
} from "./provider.ts";
import type { WebhookRequest } from "./webhook-request.ts";

/** What a check comes to. */
export type Verdict = Pick<WebhookFacts, "verdict" | "code" | "reason">;

/**
 * Never throws. The secrets appear in nothing that it returns.
 *
 * @param secrets one that holds is enough
 * @param thorough whether a failure may cost the search for its cause
 */
export function verifyWebhook(
  provider: WebhookProvider,
  request: WebhookRequest,
  secrets: readonly string[],
  thorough: boolean,
): Verdict {
  const claim = provider.readClaim(request);
  if ("fault" in claim)
    return { verdict: "failed", code: claim.fault, reason: claim.reason };
  const contents = provider.contents(request, request.body, claim);
  const holds = secrets.some((secret) =>
    contents.some(
      (content) =>
        content.told === undefined &&
        holdsFor(provider, claim, content, secret),
    ),
  );
  if (holds) return checkTime(provider, request, claim);
  return {
    verdict: "failed",
    ...diagnose(provider, request, claim, secrets, thorough),
  };
}

function holdsFor(
  provider: WebhookProvider,
  claim: SignatureClaim,
  content: SignedContent,
  secret: string,
): boolean {
  const key = provider.readKey(secret);
  if (key && holdsForKey(provider, claim, content, key)) return true;
  return provider.verifyPublic?.(claim, content, secret) ?? false;
}

function checkTime(
  { title, toleranceS }: WebhookProvider,
  { receivedAt }: WebhookRequest,
  { timestamp }: SignatureClaim,
): Verdict {
  if (toleranceS === undefined || timestamp === undefined)
    return { verdict: "verified" };
  const ageS = Math.round(receivedAt / 1_000) - timestamp;
  if (Math.abs(ageS) <= toleranceS) return { verdict: "verified" };
  return {
    verdict: "failed",
    code: "timestamp-old",
    reason: `The signature is right, and its timestamp is ${formatSpan(Math.abs(ageS))} ${ageS > 0 ? "older than the request" : "ahead of this machine's clock"}: ${title} allows ${formatSpan(toleranceS)}. To replay it, sign it anew.`,
  };
}

function formatSpan(seconds: number): string {
  const [unit, length] = SPANS.find(([, span]) => seconds >= span) ?? SPANS[3];
  const count = Math.floor(seconds / length);
  return `${count} ${unit}${count === 1 ? "" : "s"}`;
}

const SPANS = [
  ["day", 86_400],
  ["hour", 3_600],
  ["minute", 60],
  ["second", 1],
] as const;
