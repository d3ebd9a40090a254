// What undoes one content coding, and what comes of it.

/** What came out, and why no more did. */
export interface DecodeResult {
  readonly bytes: Buffer;
  readonly stop?: "bound" | "broken";
  /** For `broken`. */
  readonly reason?: string;
}

/** Decodes to at most `maxBytes`. Never rejects. */
export type Decoder = (
  input: Buffer,
  maxBytes: number,
) => Promise<DecodeResult>;
