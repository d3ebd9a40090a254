// Random choices that are the same ones for the same seed, on every machine.
import { createRandom } from "../conformance/mutator.ts";

/** A source of choices. */
export interface Choices {
  /** A whole number from 0 to `count - 1`. */
  below(count: number): number;
  /** True in one of `count` cases. */
  oneIn(count: number): boolean;
  pick<T>(list: readonly T[]): T;
  /** A whole number from 0 to `most`, each order of magnitude as likely as the next. */
  logUniform(most: number): number;
}

/** @param path what the choices are for: the same seed gives other ones for other numbers */
export function createChoices(seed: number, ...path: number[]): Choices {
  const random = createRandom(
    path.reduce((state, part) => Math.imul(state, 1_000_003) + part, seed),
  );
  // Neighbouring seeds begin alike.
  for (let i = 0; i < 4; i++) random(2);
  const below = (count: number): number => random(count);
  return {
    below,
    oneIn: (count) => below(count) === 0,
    pick: (list) => list[below(list.length)]!,
    logUniform(most) {
      const exponent = (below(1_000_000) / 999_999) * Math.log(most + 1);
      return Math.min(most, Math.floor(Math.exp(exponent)) - 1);
    },
  };
}
