// The checks of `expose doctor` in their order. What needs something that has failed is skipped, and says so.
import { probeUpstream } from "../../local/validate-upstream.ts";
import { formatUpstreamSpec, type UpstreamSpec } from "@expose/protocol";
import type { SshTarget } from "../../ssh/target.ts";
import type { CommandContext, Flags } from "../command.ts";
import { fail, failBecause, pass, skip, type Check } from "./check.ts";
import {
  checkAgent,
  checkConfig,
  checkKeys,
  checkServer,
  type KnownServer,
} from "./machine.ts";
import { checkCrypto, checkNode } from "./runtime.ts";
import { checkLogin, checkName, checkReach, LOGIN_STEPS } from "./server.ts";

/** What is to be looked at beside the way to the edge. */
export interface Wanted {
  /** Undefined: any name will do. */
  name: string | undefined;
  /** The local service. Undefined: it is not looked at. */
  upstream: UpstreamSpec | undefined;
}

/** Gives each finding as soon as there is one. */
export async function* runChecks(
  context: CommandContext,
  flags: Flags,
  wanted: Wanted,
): AsyncGenerator<Check, void, void> {
  yield checkNode(process.versions.node);
  yield checkCrypto();
  const config = await checkConfig(flags, context);
  yield config.check;
  const server = await checkServer(flags, context, config.found);
  yield server.check;
  if (server.found) {
    const { target, settings } = server.found;
    yield* checkServerSide(context, target, settings, wanted);
  } else {
    for (const name of ["keys", "agent", "reach", ...LOGIN_STEPS, "name"])
      yield skip(name, "it is not known which server");
  }
  yield await checkLocal(wanted.upstream, context.signal);
}

async function* checkServerSide(
  context: CommandContext,
  target: SshTarget,
  settings: KnownServer,
  wanted: Wanted,
): AsyncGenerator<Check, void, void> {
  yield await checkKeys(target);
  yield await checkAgent(target);
  const reach = await checkReach(target, context.signal);
  yield reach;
  if (reach.status === "FAIL") {
    for (const name of [...LOGIN_STEPS, "name"])
      yield skip(name, "reach failed");
    return;
  }
  const { checks, session } = await checkLogin(settings, context);
  try {
    yield* checks;
    if (session) yield await checkName(session, wanted.name);
    else yield skip("name", "no edge to ask for it");
  } finally {
    await session?.close();
  }
}

async function checkLocal(
  spec: UpstreamSpec | undefined,
  signal: AbortSignal,
): Promise<Check> {
  if (spec === undefined)
    return skip(
      "local",
      "name a target to have it looked at: expose doctor 8080",
    );
  try {
    const reason = await probeUpstream(spec, { signal });
    return reason === undefined
      ? pass("local", `${formatUpstreamSpec(spec)} answers`)
      : fail("local", reason, "start the local service");
  } catch (error) {
    return failBecause("local", error);
  }
}
