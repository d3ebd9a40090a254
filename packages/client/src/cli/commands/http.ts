// `expose http TARGET`, and `expose TARGET` for short: one tunnel.
import { ExposeError } from "../../errors.ts";
import {
  probeUpstream,
  validateUpstream,
} from "../../local/validate-upstream.ts";
import { openBare } from "../../open-bare.ts";
import { openTunnels } from "../../open-session.ts";
import { resolveUpstreamSpec } from "../../resolve-upstream.ts";
import type { UpstreamSpec } from "@expose/protocol";
import type { CommandContext, CommandRun, Flags } from "../command.ts";
import { keepOpen, noticeLog, type OpenedTunnels } from "../keep-open.ts";
import { readPort } from "../read-port.ts";
import { resolveSettings } from "../settings.ts";
import { checkWantedHost, resolveWantedName } from "../tunnel-name.ts";
import { viewSession } from "../view-session.ts";

export const run: CommandRun = (context, [target], flags) =>
  keepOpen(context, flags, async (notice) => {
    const upstream = resolveUpstreamSpec({ upstream: target });
    const open = flags.bare ? openOnPlainServer : openOnEdge;
    return open(context, flags, upstream, notice);
  });

type Open = (
  context: CommandContext,
  flags: Flags,
  upstream: UpstreamSpec,
  notice: (text: string) => void,
) => Promise<OpenedTunnels>;

const openOnEdge: Open = async (context, flags, upstream, notice) => {
  // What is wrong with the command line itself is said before anything is asked of a server.
  const wanted = resolveWantedName(flags);
  checkHostHeader(flags.hostHeader);
  await validateUpstream(upstream, { ca: flags.upstreamCa });
  if (flags.remotePort !== undefined)
    throw new ExposeError(
      "usage-invalid",
      "--remote-port is for --bare; an edge gives names, not ports. Use --subdomain, or add --bare.",
    );
  const { session: settings, inspect } = await resolveSettings(
    flags,
    context,
    noticeLog(notice),
  );
  const { session, tunnels } = await openTunnels(
    { ...settings, inspect },
    [
      {
        upstream,
        name: wanted.name,
        hostHeader: flags.hostHeader,
        upstreamCa: flags.upstreamCa,
      },
    ],
    wanted.host === undefined
      ? undefined
      : (urlPattern) => checkWantedHost(wanted, urlPattern),
  );
  return {
    session: viewSession(session),
    inspected: session,
    tunnels,
    look: (signal) => probeUpstream(upstream, { ca: flags.upstreamCa, signal }),
    close: () => session.close(),
  };
};

const openOnPlainServer: Open = async (context, flags, upstream, notice) => {
  const remotePort = readPort("--remote-port", flags.remotePort) ?? 0;
  const { session: settings } = await resolveSettings(
    flags,
    context,
    noticeLog(notice),
  );
  const tunnel = await openBare({
    ...settings,
    upstream,
    upstreamCa: flags.upstreamCa,
    remotePort,
  });
  return {
    session: tunnel,
    tunnels: [tunnel],
    notices: tunnel.warning === undefined ? [] : [tunnel.warning],
    close: () => tunnel.close(),
  };
};

// What the configuration file takes too (config/schema.ts): one word of visible characters.
function checkHostHeader(value: string | undefined): void {
  if (value === undefined || /^[\x21-\x7e]{1,260}$/.test(value)) return;
  throw new ExposeError(
    "usage-invalid",
    `--host-header "${value}" is no host: write preserve, rewrite or a host name.`,
  );
}
