// Stands in for vitest in the bundle of the long runs: parts of the harness that need a running test must not be used here.
const onlyWithinTests = () => {
  throw new Error("only within a test");
};
export { onlyWithinTests as describe, onlyWithinTests as onTestFinished };
