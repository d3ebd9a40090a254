import { expect, test } from "vitest";
import { fail, pass, skip, warn, type Check } from "../doctor/check.ts";
import { renderCheck, renderSummary } from "./check-table.ts";
import { createStyle } from "./style.ts";

const checks: Check[] = [
  pass("config", "/home/alice/.config/expose/config.yaml"),
  warn("agent", "no agent runs", "eval $(ssh-agent), then ssh-add"),
  fail("reach", "vps:2222 refuses\x1b[2J", "check the port"),
  skip("edge", "the server was not reached"),
];

test("each check is a line, with what to do below it", () => {
  const style = createStyle(false);
  expect(
    `\n${checks.flatMap((check) => renderCheck(check, style)).join("\n")}\n`,
  ).toMatchInlineSnapshot(`
    "
    PASS  config        /home/alice/.config/expose/config.yaml
    WARN  agent         no agent runs
                        -> eval $(ssh-agent), then ssh-add
    FAIL  reach         vps:2222 refuses\\x1b[2J
                        -> check the port
    SKIP  edge          the server was not reached
    "
  `);
});

test("the summary counts what is wrong", () => {
  expect(renderSummary(checks)).toBe("1 failed, 1 to look at, 1 passed.");
  expect(renderSummary(checks.slice(0, 1))).toBe("All is well.");
  expect(renderSummary(checks.slice(0, 2))).toBe("1 to look at, 1 passed.");
});
