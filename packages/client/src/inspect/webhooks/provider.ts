// What a provider of webhooks is to the rest of the folder. A new one is a file in providers/ and a line in its list.
import type { HeaderLine } from "@expose/protocol";
import type { WebhookRequest } from "./webhook-request.ts";

/** One provider, or one way of signing that several share. None of its methods throws, whatever request and secret. */
export interface WebhookProvider {
  /** As it stands in facts, filters, configuration, `--sign`, and EXPOSE_WEBHOOK_SECRET_NAME. */
  readonly name: string;
  /** For sentences. */
  readonly title: string;
  /** Lower-case names of headers; a request that has one of them is this provider's. */
  readonly marks: readonly string[];
  readonly algorithm: "sha1" | "sha256" | "sha384" | "sha512";
  /** How far from its arrival a timestamp may be. Absent: what is signed has none. */
  readonly toleranceS?: number;
  /** What the request says of itself. */
  describe(request: WebhookRequest): WebhookEvent;
  readClaim(request: WebhookRequest): SignatureClaim | SignatureFault;
  /**
   * What is signed, when the body was `body`; several when the provider's own libraries try several.
   * One without a `told` is right; any other is a mistake that people make, told for `body-changed`.
   */
  contents(
    request: WebhookRequest,
    body: Buffer,
    claim: SignatureClaim,
  ): readonly SignedContent[];
  /** The key that a secret stands for. @returns undefined when it cannot be one */
  readKey(secret: string): Buffer | undefined;
  /** What looks wrong about a secret, as the end of a sentence: `is an API key`. */
  doubtSecret?(secret: string): string | undefined;
  /** Checks a claim that is no HMAC. */
  verifyPublic?(
    claim: SignatureClaim,
    content: SignedContent,
    secret: string,
  ): boolean;
  /**
   * Signs anew.
   *
   * @param secret one that {@link readKey} takes
   * @returns headers to set in place of those there; undefined when nothing can be signed with this secret
   */
  sign(
    request: WebhookRequest,
    secret: string,
    nowMs: number,
  ): readonly HeaderLine[] | undefined;
}

/** What has happened, in the provider's words. */
export interface WebhookEvent {
  readonly event?: string | undefined;
  /** What it happened to: an id, mostly. */
  readonly object?: string | undefined;
}

/** What the headers claim. */
export interface SignatureClaim {
  /** Decoded; one that holds is enough. */
  readonly signatures: readonly Buffer[];
  /** Seconds since 1970, as they are signed. */
  readonly timestamp?: number;
  /** The text that was the timestamp. */
  readonly timestampText?: string;
  /** Signatures of another kind than HMAC. */
  readonly publicSignatures?: readonly Buffer[];
}

/** Why there is nothing to check. */
export interface SignatureFault {
  readonly fault:
    "signature-missing" | "signature-malformed" | "timestamp-missing";
  /** A sentence. */
  readonly reason: string;
}

/** Pieces that are signed one behind the other. */
export interface SignedContent {
  readonly pieces: readonly (Buffer | string)[];
  readonly told?: string;
}
