// `expose local 7777:localhost:7780`: forwards from here to what the server can reach.
import { openLocal } from "../../open-local.ts";
import type { CommandRun } from "../command.ts";
import { parseForwardSpec } from "../forward-spec.ts";
import { keepOpen, noticeLog } from "../keep-open.ts";
import { resolveSettings } from "../settings.ts";

export const run: CommandRun = (context, args, flags) =>
  keepOpen(context, flags, async (notice) => {
    const forwards = args.map(parseForwardSpec);
    const { session: settings } = await resolveSettings(
      flags,
      context,
      noticeLog(notice),
    );
    const opened = await openLocal({ ...settings, forwards });
    return {
      session: opened,
      tunnels: opened.forwards,
      close: () => opened.close(),
    };
  });
