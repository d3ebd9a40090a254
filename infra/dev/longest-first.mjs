// The order in which vitest takes test files: those that take longest first, so that no worker is left with one at the end
// while the other has nothing to do. In a checkout where tests ran before vitest knows how long each took; in a fresh one
// it would go by their size.
import { BaseSequencer } from "vitest/node";
import { inRoot } from "./paths.mjs";

/** Of each project, those that take longest first. */
export const LONGEST = [
  "test/e2e/reconnect.test.ts",
  "test/e2e/memory.test.ts",
  "test/e2e/cli-replay.test.ts",
  "test/e2e/workers.test.ts",
  "test/e2e/cli-http.test.ts",
  "test/e2e/inspector/injection.test.ts",
  "test/e2e/inspector/axe.test.ts",
  "test/e2e/inspector/page.test.ts",
  "test/e2e/inspector/chain.test.ts",
  "test/conformance/mutated.test.ts",
  "test/conformance/isolation.test.ts",
];

export class LongestFirst extends BaseSequencer {
  /** @param {import("vitest/node").TestSpecification[]} files */
  async sort(files) {
    const sorted = await super.sort(files);
    const first = LONGEST.map((path) => inRoot(path));
    const rank = ({ moduleId }) => {
      const at = first.indexOf(moduleId);
      return at < 0 ? first.length : at;
    };
    return sorted.toSorted((a, b) => rank(a) - rank(b));
  }
}
