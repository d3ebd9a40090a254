// `expose doctor`: looks at everything that a tunnel needs, one thing at a time.
import type { Check } from "../doctor/check.ts";
import { runChecks } from "../doctor/run-checks.ts";
import { resolveUpstreamSpec } from "../../resolve-upstream.ts";
import type { CommandRun } from "../command.ts";
import { renderCheck, renderSummary } from "../output/check-table.ts";
import { isLive } from "../output/create-output.ts";
import { encodeEvent } from "../output/json.ts";
import { createStyle } from "../output/style.ts";
import { resolveWantedName } from "../tunnel-name.ts";

export const run: CommandRun = async (context, [target], flags) => {
  const { io } = context;
  // A slip on the command line is no finding: it is said at once.
  const wanted = {
    name: resolveWantedName(flags).name,
    upstream:
      target === undefined
        ? undefined
        : resolveUpstreamSpec({ upstream: target }),
  };
  const style = createStyle(isLive(flags, io));
  const checks: Check[] = [];
  for await (const check of runChecks(context, flags, wanted)) {
    checks.push(check);
    if (!flags.json)
      io.stdout.write(`${renderCheck(check, style).join("\n")}\n`);
  }
  const ok = checks.every(({ status }) => status !== "FAIL");
  io.stdout.write(
    flags.json
      ? encodeEvent("doctor", io.now(), { ok, checks })
      : `\n${renderSummary(checks)}\n`,
  );
  return ok ? 0 : 1;
};
