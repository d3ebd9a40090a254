// The ways in which a secret is set wrongly: copied with too much or too little, or read in the wrong encoding.
import type { WebhookProvider } from "./provider.ts";

/** A key that the secret might have been meant to be. */
export interface SecretVariant {
  readonly key: Buffer;
  /** As the end of a sentence. Never the secret itself. */
  readonly told: string;
}

/** @returns those that differ from the right reading */
export function secretVariants(
  provider: WebhookProvider,
  secret: string,
): SecretVariant[] {
  const right = provider.readKey(secret);
  const asText = (text: string, told: string): SecretVariant | undefined => {
    const key = provider.readKey(text);
    return key && { key, told };
  };
  const bare = secret.replace(/^whsec_/, "");
  const variants = [
    asText(secret.trim(), "the secret without the blanks around it"),
    asText(
      secret.trim().replace(/^(["'])(.*)\1$/s, "$2"),
      "the secret without the quotes around it",
    ),
    asText(`${secret}\n`, "a line break behind the secret"),
    asText(bare, "the secret without whsec_ in front"),
    asText(`whsec_${secret}`, "whsec_ in front of the secret"),
    { key: Buffer.from(secret), told: "the secret taken as plain text" },
    {
      key: Buffer.from(bare),
      told: "the secret taken as plain text, without whsec_ in front",
    },
    {
      key: Buffer.from(bare, "base64"),
      told: "the secret decoded from base64",
    },
    ...(/^(?:[0-9a-f]{2})+$/i.test(bare)
      ? [
          {
            key: Buffer.from(bare, "hex"),
            told: "the secret decoded from hex",
          },
        ]
      : []),
    {
      key: Buffer.from(Buffer.from(bare).toString("base64")),
      told: "the secret encoded in base64 once more",
    },
  ];
  return variants.filter(
    (variant) => variant !== undefined && !(right && variant.key.equals(right)),
  ) as SecretVariant[];
}
