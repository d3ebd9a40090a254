// How much all open exchanges together may keep in memory: a thousand uploads at once must not each keep a megabyte.

/** An account of bytes. */
export interface KeptBytes {
  /** @returns how many of them may be kept */
  take(bytes: number): number;
  give(bytes: number): void;
  readonly held: number;
}

export function createKeptBytes(maxBytes: number): KeptBytes {
  let held = 0;
  return {
    take(bytes) {
      const granted = Math.max(0, Math.min(bytes, maxBytes - held));
      held += granted;
      return granted;
    },
    give(bytes) {
      held -= bytes;
    },
    get held() {
      return held;
    },
  };
}
