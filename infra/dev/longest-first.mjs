// The order in which vitest takes test files: those that take longest first, so that no worker is left with one at the end
// while the other has nothing to do. In a checkout where tests ran before vitest knows how long each took; in a fresh one
// it would go by their size.
import { BaseSequencer } from "vitest/node";

/** Ends of paths, those that take longest first. */
const LONGEST = [
  "e2e/reconnect.test.ts",
  "e2e/memory.test.ts",
  "e2e/cli-replay.test.ts",
  "e2e/workers.test.ts",
  "e2e/cli-http.test.ts",
  "inspector/injection.test.ts",
  "inspector/axe.test.ts",
  "inspector/page.test.ts",
  "inspector/chain.test.ts",
  "conformance/mutated.test.ts",
  "conformance/isolation.test.ts",
];

export class LongestFirst extends BaseSequencer {
  /** @param {import("vitest/node").TestSpecification[]} files */
  async sort(files) {
    const sorted = await super.sort(files);
    const rank = ({ moduleId }) => {
      const at = LONGEST.findIndex((end) => moduleId.endsWith(end));
      return at < 0 ? LONGEST.length : at;
    };
    return sorted.toSorted((a, b) => rank(a) - rank(b));
  }
}
