// Reads what providers write into their signature headers.

const LENGTHS = { sha1: 20, sha256: 32, sha384: 48, sha512: 64 } as const;

/** @returns undefined when it is not the hex of such a digest */
export function readHex(
  text: string,
  algorithm: keyof typeof LENGTHS,
): Buffer | undefined {
  const digits = LENGTHS[algorithm] * 2;
  return text.length === digits && /^[0-9a-f]+$/i.test(text)
    ? Buffer.from(text, "hex")
    : undefined;
}

/** @returns undefined when it is not the base64 of such a digest */
export function readBase64(
  text: string,
  algorithm: keyof typeof LENGTHS,
): Buffer | undefined {
  if (text.length > 100 || !/^[\w+/-]+={0,2}$/.test(text)) return undefined;
  const bytes = Buffer.from(text, "base64");
  return bytes.length === LENGTHS[algorithm] ? bytes : undefined;
}

/** Says how a digest that could not be read was perhaps written, as the end of a sentence; empty when there is no telling. */
export function explainDigest(text: string): string {
  for (const algorithm of ["sha256", "sha1", "sha512"] as const) {
    const name = algorithm.toUpperCase().replace("SHA", "SHA-");
    if (readHex(text, algorithm)) return `; it looks like ${name} in hex`;
    if (readBase64(text, algorithm)) return `; it looks like ${name} in base64`;
  }
  return "";
}

/** Seconds since 1970 in digits. @returns undefined for anything else */
export const readTimestamp = (text: string | undefined): number | undefined =>
  text !== undefined && /^\d{1,12}$/.test(text) ? Number(text) : undefined;
