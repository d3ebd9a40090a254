// Any provider that puts an HMAC of the body into a header: which header, algorithm and encoding is configured.
import { createHmac } from "node:crypto";
import type { WebhookOptions } from "../../../options.ts";
import type { WebhookProvider } from "../provider.ts";
import { explainDigest, readBase64, readHex } from "../read-signature.ts";

/** What the configuration says of such a provider; the header makes it one. */
export type HmacOptions = WebhookOptions & { readonly header: string };

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
