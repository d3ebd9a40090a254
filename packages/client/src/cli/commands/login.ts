// `expose login user@host`: tries a server, pins its host key and makes it the default.
import { existsSync } from "node:fs";
import { locateConfig } from "../../config/locate.ts";
import { loadClientConfig, type ClientConfig } from "../../config/load.ts";
import { resolveServerSettings } from "../../config/settings.ts";
import { writeClientConfig } from "../../config/write.ts";
import { openSession, type Session } from "../../open-session.ts";
import type { CommandContext, CommandRun, Flags } from "../command.ts";
import { escapeForTerminal } from "../output/escape.ts";
import { encodeEvent } from "../output/json.ts";
import { padWidth } from "../output/width.ts";
import { configLocation } from "../settings.ts";

export const run: CommandRun = async (context, [server = ""], flags) => {
  const { io, prompt, signal } = context;
  const location = configLocation(flags, context);
  const before = await readConfig(flags, context);
  const say = (text: string): void =>
    void io.stderr.write(`${escapeForTerminal(text)}\n`);
  const { identity, acceptNewHostKey, knownHosts } = resolveServerSettings(
    { ...flags, server },
    io.env,
    before ?? NOTHING,
  );
  const session = await openSession({
    ...{ server, identity, acceptNewHostKey, knownHosts },
    ...{ prompt, signal, watchRequests: false },
    log: { info: say, warn: (sentence) => say(`Warning: ${sentence}`) },
  });
  try {
    const path = await writeClientConfig(
      { server, ...identityPatch(server, flags, before) },
      location,
    );
    io.stdout.write(
      flags.json
        ? encodeEvent("login", io.now(), loginFields(session, path))
        : `${describe(session, path).join("\n")}\n`,
    );
  } finally {
    await session.close();
  }
  return 0;
};

const NOTHING: Parameters<typeof resolveServerSettings>[2] = {
  server: undefined,
  identity: undefined,
  acceptNewHostKey: undefined,
  knownHosts: undefined,
};

// The file may not be there yet, wherever somebody wants it to be.
function readConfig(
  flags: Flags,
  context: CommandContext,
): Promise<ClientConfig> | undefined {
  const location = configLocation(flags, context);
  return existsSync(locateConfig(location).path)
    ? loadClientConfig(location)
    : undefined;
}

// Keys that were written down for another server are not this one's.
function identityPatch(
  server: string,
  flags: Flags,
  before: ClientConfig | undefined,
): { identity?: string[] | undefined } {
  if (flags.identity !== undefined) return { identity: flags.identity };
  return before?.server === server ? {} : { identity: undefined };
}

function loginFields(
  session: Session,
  config: string,
): Record<string, unknown> {
  const { target, hostKeyFingerprint, keyUsed, identities } =
    session.connectionFacts;
  return {
    server: `${target.user}@${session.server}`,
    hostKey: hostKeyFingerprint,
    key: keyUsed,
    unusableKeys: identities.unusable,
    identity: session.identity,
    url: session.urlPattern,
    ingress: session.ingress,
    edge: session.edgeVersion,
    config,
  };
}

function describe(session: Session, config: string): string[] {
  const { target, hostKeyFingerprint, keyUsed, identities } =
    session.connectionFacts;
  const origin = keyUsed.source === "agent" ? ", from the agent" : "";
  return [
    field("Server", `${target.user}@${session.server}`),
    field("Host key", `${hostKeyFingerprint} (pinned)`),
    field("Your key", `${keyUsed.name} (${keyUsed.fingerprint}${origin})`),
    ...identities.unusable.map(({ name, reason }) =>
      field("Not usable", `${name}: ${reason}`),
    ),
    field("You are", session.identity),
    field("Edge", `${session.edgeVersion} (${session.ingress})`),
    field("Serves", session.urlPattern),
    field("Written to", config),
    "",
    "Now try: expose 8080",
  ];
}

const LABEL_COLUMNS = 12;

const field = (label: string, value: string): string =>
  `${padWidth(label, LABEL_COLUMNS)}${escapeForTerminal(value)}`;
