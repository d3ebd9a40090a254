// Finds out why a signature does not hold: with which other reading of the secret it does, or with which other body.
import type { WebhookFacts } from "@expose/protocol";
import { bodyVariants } from "./body-variants.ts";
import { holdsForKey } from "./holds.ts";
import { secretVariants } from "./secret-variants.ts";
import type {
  SignatureClaim,
  SignedContent,
  WebhookProvider,
} from "./provider.ts";
import type { WebhookRequest } from "./webhook-request.ts";

/** @returns code and sentence of a failure; the sentence quotes no secret */
export function diagnose(
  provider: WebhookProvider,
  request: WebhookRequest,
  claim: SignatureClaim,
  secrets: readonly string[],
  thorough: boolean,
): Pick<WebhookFacts, "code" | "reason"> {
  if (thorough && request.body.length <= MAX_BODY_BYTES) {
    const found =
      findOtherSecret(provider, request, claim, secrets) ??
      findOtherContent(provider, request, claim, secrets);
    if (found) return found;
  }
  return {
    code: "secret-wrong",
    reason: explainNothingFound(provider, secrets),
  };
}

// A search is a few dozen HMACs, between two turns of the event loop.
const MAX_BODY_BYTES = 64 * 1024;

type Found = Required<Pick<WebhookFacts, "code" | "reason">> | undefined;

function findOtherSecret(
  provider: WebhookProvider,
  request: WebhookRequest,
  claim: SignatureClaim,
  secrets: readonly string[],
): Found {
  const contents = rightOnes(provider.contents(request, request.body, claim));
  for (const secret of secrets)
    for (const { key, told } of secretVariants(provider, secret))
      if (
        contents.some((content) => holdsForKey(provider, claim, content, key))
      )
        return {
          code: "secret-wrong",
          reason: `The body is as it was signed, and the secret is not set as it is used: the signature holds with ${told}.`,
        };
  return undefined;
}

function findOtherContent(
  provider: WebhookProvider,
  request: WebhookRequest,
  claim: SignatureClaim,
  secrets: readonly string[],
): Found {
  const keys = secrets
    .map((secret) => provider.readKey(secret))
    .filter((key) => key !== undefined);
  const holds = (content: SignedContent): boolean =>
    keys.some((key) => holdsForKey(provider, claim, content, key));
  for (const content of provider.contents(request, request.body, claim))
    if (content.told !== undefined && holds(content))
      return {
        code: "body-changed",
        reason: `The signature holds for ${content.told}.`,
      };
  for (const { body, told } of bodyVariants(request))
    if (rightOnes(provider.contents(request, body, claim)).some(holds))
      return {
        code: "body-changed",
        reason: `The body was changed on its way: the signature holds for the body ${told}.`,
      };
  return undefined;
}

const rightOnes = (contents: readonly SignedContent[]): SignedContent[] =>
  contents.filter(({ told }) => told === undefined);

function explainNothingFound(
  provider: WebhookProvider,
  secrets: readonly string[],
): string {
  const doubts = secrets
    .map((secret) => provider.doubtSecret?.(secret))
    .filter((doubt) => doubt !== undefined);
  if (doubts[0] !== undefined && doubts.length === secrets.length)
    return `The signature does not hold: the secret that is configured ${doubts[0]}.`;
  const which =
    secrets.length === 1
      ? "the secret that is configured"
      : `any of the ${secrets.length} secrets that are configured`;
  const hint =
    provider.name === "stripe"
      ? "Each endpoint has a secret of its own, in test mode and in live mode, and so has `stripe listen`."
      : "Most likely it is signed with another secret: that of another endpoint, app or mode.";
  return `The signature does not hold with ${which}. ${hint} A body that was rewritten on its way is the other possible cause.`;
}
