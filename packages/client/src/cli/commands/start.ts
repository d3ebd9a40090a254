// `expose start NAME…`: tunnels of the configuration file over one session.
import type { ClientConfig, ConfiguredTunnel } from "../../config/load.ts";
import { nearest } from "../../nearest.ts";
import { ExposeError } from "../../errors.ts";
import { validateUpstream } from "../../local/validate-upstream.ts";
import { openTunnels } from "../../open-session.ts";
import type { CommandRun } from "../command.ts";
import { keepOpen, noticeLog } from "../keep-open.ts";
import { resolveSettings } from "../settings.ts";
import { viewSession } from "../view-session.ts";

export const run: CommandRun = (context, names, flags) =>
  keepOpen(context, flags, async (notice) => {
    const {
      session: settings,
      config,
      inspect,
    } = await resolveSettings(flags, context, noticeLog(notice));
    const wanted = selectTunnels(config, names, flags.all ?? false);
    for (const { upstream, upstreamCa } of wanted)
      await validateUpstream(upstream, { ca: upstreamCa });
    const { session, tunnels } = await openTunnels(
      { ...settings, inspect },
      wanted,
    );
    return {
      session: viewSession(session),
      inspected: session,
      tunnels,
      close: () => session.close(),
    };
  });

function selectTunnels(
  { path, exists, tunnels }: ClientConfig,
  names: readonly string[],
  all: boolean,
): ConfiguredTunnel[] {
  if (all === names.length > 0)
    throw new ExposeError(
      "usage-invalid",
      "Say which tunnels to start: expose start NAME…, or expose start --all.",
    );
  if (tunnels.size === 0)
    throw new ExposeError(
      "config-invalid",
      `${exists ? `The configuration file ${path} has no tunnels` : `There is no configuration file ${path}`}. Write one below tunnels:, as in\ntunnels:\n  web:\n    upstream: 8080\n    name: shop`,
    );
  if (all) return [...tunnels.values()];
  return [...new Set(names)].map((name) => {
    const tunnel = tunnels.get(name);
    if (tunnel) return tunnel;
    const near = nearest(name, [...tunnels.keys()]);
    throw new ExposeError(
      "usage-invalid",
      `The configuration file ${path} has no tunnel "${name}"${near ? `. Did you mean ${near}?` : `; it has ${[...tunnels.keys()].join(", ")}.`}`,
    );
  });
}
