// `npm test`: installs what is missing, builds, runs every check and test, and closes with `N passed, N failed`.
// `npm test -- unit arch` builds and runs those parts alone. Needs nothing but Node.
import "./node-version.mjs";
import { installDependencies } from "./install.mjs";
import { installPackages } from "./packages.mjs";
import { parts } from "./test-parts.mjs";

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  console.error(error.message);
  console.log("0 passed, 1 failed");
  process.exitCode = 1;
}

async function main(wanted) {
  const unknown = wanted.find((name) => !Object.hasOwn(parts, name));
  if (unknown !== undefined)
    throw new Error(
      `There is no part "${unknown}" of the tests; there are ${Object.keys(parts).join(", ")}.`,
    );
  await installPackages();
  await installDependencies();

  const total = { passed: 0, failed: 0 };
  const problems = [];
  const times = [];
  for (const [name, runPart] of Object.entries(parts)) {
    if (wanted.length > 0 && !wanted.includes(name) && name !== "build")
      continue;
    console.log(`\n== ${name}`);
    const startedAt = performance.now();
    const tally = await runPart();
    total.passed += tally.passed;
    total.failed += tally.failed;
    problems.push(...tally.problems.map((problem) => `${name}: ${problem}`));
    const seconds = Math.round((performance.now() - startedAt) / 1_000);
    times.push(`${name} ${seconds} s`);
  }
  console.log(["", times.join(", "), ...problems].join("\n"));
  console.log(`${total.passed} passed, ${total.failed} failed`);
  return total.failed > 0 ? 1 : 0;
}
