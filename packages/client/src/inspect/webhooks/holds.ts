// The comparison itself: one HMAC against the signatures of a claim, in constant time.
import { createHmac, timingSafeEqual } from "node:crypto";
import type {
  SignatureClaim,
  SignedContent,
  WebhookProvider,
} from "./provider.ts";

/** Whether one of the signatures is the HMAC of the content. */
export function holdsForKey(
  { algorithm }: WebhookProvider,
  { signatures }: SignatureClaim,
  { pieces }: SignedContent,
  key: Buffer,
): boolean {
  if (signatures.length === 0) return false;
  const hmac = createHmac(algorithm, key);
  for (const piece of pieces) hmac.update(piece);
  const digest = hmac.digest();
  // All of them, so that the time says nothing about which.
  return signatures
    .map(
      (signature) =>
        signature.length === digest.length &&
        timingSafeEqual(signature, digest),
    )
    .includes(true);
}
