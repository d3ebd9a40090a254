// Any provider that puts an HMAC of the body into a header: which header, algorithm and encoding is configured.
import { createHmac } from "node:crypto";
import type { WebhookProvider } from "../provider.ts";
import { explainDigest, readBase64, readHex } from "../read-signature.ts";

/** How such a provider signs. */
export interface HmacOptions {
  readonly header: string;
  /** Default: `sha256`. */
  readonly algorithm?: "sha1" | "sha256" | "sha384" | "sha512" | undefined;
  /** How the signature is written. Default: `hex`. */
  readonly encoding?: "hex" | "base64" | undefined;
  /** What stands before it, such as `sha256=`. Default: nothing. */
  readonly prefix?: string | undefined;
  /** What the secret is: text, or the hex or base64 of the key. Default: `text`. */
  readonly secretEncoding?: "text" | "hex" | "base64" | undefined;
}

/** @param name as it stands in facts, filters and `--sign` */
export function createHmacProvider(
  name: string,
  options: HmacOptions,
): WebhookProvider {
  const {
    header,
    algorithm = "sha256",
    encoding = "hex",
    prefix = "",
    secretEncoding = "text",
  } = options;
  const key = header.toLowerCase();
  const readKey = (secret: string): Buffer =>
    secretEncoding === "text"
      ? Buffer.from(secret)
      : Buffer.from(secret, secretEncoding);
  return {
    name,
    title: name,
    marks: [key],
    algorithm,
    describe: (request) => ({
      event:
        request.text("type") ??
        request.text("event") ??
        request.text("event_type") ??
        request.text("action"),
      object: request.text("id"),
    }),
    readClaim(request) {
      const value = request.header(key) ?? "";
      const digest = value.slice(prefix.length);
      const signature = !value.startsWith(prefix)
        ? undefined
        : encoding === "hex"
          ? readHex(digest, algorithm)
          : readBase64(digest, algorithm);
      return signature
        ? { signatures: [signature] }
        : {
            fault: "signature-malformed",
            reason: value.startsWith(prefix)
              ? `${header} is not ${algorithm} in ${encoding}${explainDigest(digest)}.`
              : `${header} does not begin with ${prefix}.`,
          };
    },
    contents: (_request, body) => [{ pieces: [body] }],
    readKey,
    sign: (request, secret) => [
      [
        header,
        prefix +
          createHmac(algorithm, readKey(secret))
            .update(request.body)
            .digest(encoding),
      ],
    ],
  };
}
