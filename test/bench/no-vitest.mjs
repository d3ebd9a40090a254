// Stands in for vitest in the bundle of the bench: parts of the harness that need a running test must not be used here.
export function onTestFinished() {
  throw new Error("only within a test");
}
