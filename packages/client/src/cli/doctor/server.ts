// What the server says: TCP, SSH, host key, login, edge, name. One login for all of it.
import { PRODUCT_VERSION } from "@expose/protocol";
import { ExposeError, type ClientErrorCode } from "../../errors.ts";
import { openSession, type Session } from "../../open-session.ts";
import { dial } from "../../ssh/dial.ts";
import type { SshTarget } from "../../ssh/target.ts";
import type { CommandContext } from "../command.ts";
import { formatDuration } from "../output/format.ts";
import { failBecause, pass, skip, warn, type Check } from "./check.ts";
import type { KnownServer } from "./machine.ts";

/** Whether the server's port can be reached at all, SSH apart. */
export async function checkReach(
  target: SshTarget,
  signal: AbortSignal,
): Promise<Check> {
  const start = performance.now();
  try {
    const socket = await dial(target, signal);
    const address = `${socket.remoteAddress} port ${socket.remotePort}`;
    socket.destroy();
    return pass(
      "reach",
      `${address} in ${formatDuration(performance.now() - start)}`,
    );
  } catch (error) {
    return failBecause("reach", error);
  }
}

/** Logs in and greets the edge. Gives a finding for each step on the way, and the session if all went well. */
export async function checkLogin(
  settings: KnownServer,
  { prompt, signal }: CommandContext,
): Promise<{ checks: Check[]; session?: Session }> {
  try {
    const session = await openSession({
      ...settings,
      ...{ prompt, signal, watchRequests: false },
    });
    return { checks: describe(session), session };
  } catch (error) {
    return { checks: describeFailure(error) };
  }
}

/**
 * Whether a tunnel can be had: opens one and closes it again. An own tunnel of that name elsewhere ends by it, as by
 * any newer one.
 */
export async function checkName(
  session: Session,
  name: string | undefined,
): Promise<Check> {
  try {
    const tunnel = await session.open({ port: UNUSED_PORT, name });
    const { url } = tunnel;
    await tunnel.close();
    return pass("name", `${url} can be had`);
  } catch (error) {
    return failBecause("name", error);
  }
}

/** The steps of a login, in their order. */
export const LOGIN_STEPS = ["ssh", "host key", "login", "edge"] as const;
type Step = (typeof LOGIN_STEPS)[number];

// The tunnel is closed at once. Should a visitor come in that moment, nothing answers on the discard port (RFC 863).
const UNUSED_PORT = 9;

function describe(session: Session): Check[] {
  const { serverVersion, hostKeyFingerprint, keyUsed } =
    session.connectionFacts;
  const origin = keyUsed.source === "agent" ? ", from the agent" : "";
  const edge = `${session.edgeVersion} (${session.ingress}) serves ${session.urlPattern}; you are ${session.identity}`;
  return [
    pass("ssh", serverVersion),
    pass("host key", hostKeyFingerprint),
    pass("login", `with ${keyUsed.name} (${keyUsed.fingerprint}${origin})`),
    session.edgeVersion.endsWith(`/${PRODUCT_VERSION}`)
      ? pass("edge", edge)
      : warn(
          "edge",
          `${edge}; this client is ${PRODUCT_VERSION}`,
          "they understand each other; update the older one all the same",
        ),
  ];
}

// An error belongs to one step: those before it went well, those after it were not reached.
function describeFailure(error: unknown): Check[] {
  const code = error instanceof ExposeError ? error.code : undefined;
  const at: Step = (code && failsAt[code]) ?? "ssh";
  const index = LOGIN_STEPS.indexOf(at);
  return LOGIN_STEPS.map((step, n) =>
    n < index
      ? pass(step, "done")
      : n === index
        ? failBecause(step, error)
        : skip(step, `${at} failed`),
  );
}

const failsAt: Partial<Record<ClientErrorCode, Step>> = {
  "host-key-unknown": "host key",
  "host-key-changed": "host key",
  "host-key-revoked": "host key",
  "auth-failed": "login",
  "key-missing": "login",
  "key-invalid": "login",
  "server-not-edge": "edge",
  "version-unsupported": "edge",
  revoked: "edge",
  "tunnel-refused": "edge",
};
