// `expose replay ID`, `--last [n]`, `--filter …`: sends requests again and says what differs.
import {
  MAX_REPLAY_LAST,
  MAX_REPLAY_TIMES,
  type ReplayOrder,
} from "@expose/protocol";
import { ExposeError } from "../../errors.ts";
import type { CommandContext, CommandRun, Flags } from "../command.ts";
import { editRequest } from "../edit-request.ts";
import { findExchange, openInspectors } from "../inspectors/find.ts";
import { findLatest } from "../inspectors/list.ts";
import { replayExchange, type ReplayResult } from "../inspectors/replay.ts";
import { encodeEvent } from "../output/json.ts";
import { formatReplay, formatReplays } from "../output/replay-table.ts";
import { parseCount } from "../parse-count.ts";

export const run: CommandRun = async (context, [id], flags) => {
  const last = readLast(flags);
  const times = parseCount("--times", flags.times, 1, MAX_REPLAY_TIMES);
  if ((id === undefined) === (last === undefined && flags.filter === undefined))
    throw new ExposeError(
      "usage-invalid",
      "Say what to replay: an ID that `expose logs` shows, or --last and --filter, not both.",
    );
  const inspectors = await openInspectors(context);
  try {
    const ids =
      id === undefined
        ? await findLatest(inspectors, withoutReplays(flags.filter), last ?? 1)
        : [id];
    if (flags.edit && ids.length > 1)
      throw new ExposeError(
        "usage-invalid",
        "--edit changes one request; leave the number of --last away.",
      );
    const results: ReplayResult[] = [];
    // One after the other, in the order in which they came: what they do may build upon one another.
    for (const each of ids) {
      const found = await findExchange(inspectors, each);
      const order = await readOrder(context, flags, times, found);
      if (!order) return 0;
      const got = await replayExchange(found, order, ids.length === 1);
      results.push(...got);
      if (flags.json) for (const result of got) printJson(context, result);
    }
    if (!flags.json)
      context.io.stdout.write(
        `${(results.length === 1 ? formatReplay(results[0]!) : formatReplays(results)).join("\n")}\n`,
      );
    return results.every(({ sameClass }) => sameClass) ? 0 : 1;
  } finally {
    await inspectors.close();
  }
};

function readLast({ last }: Flags): number | undefined {
  if (last === undefined) return undefined;
  return last === true ? 1 : parseCount("--last", last, 1, MAX_REPLAY_LAST);
}

// The last one again means the last that a visitor sent.
const withoutReplays = (filter = ""): string => `replay:no ${filter}`;

/** @returns undefined when the person has changed their mind */
async function readOrder(
  { io }: CommandContext,
  flags: Flags,
  times: number,
  found: Awaited<ReturnType<typeof findExchange>>,
): Promise<ReplayOrder | undefined> {
  const edited = flags.edit ? await editRequest(found, io.env) : {};
  if (!edited) {
    io.stderr.write("Nothing was left of the request, so nothing was sent.\n");
    return undefined;
  }
  return {
    ...edited,
    ...(times > 1 && { times }),
    ...(flags.upstream !== undefined && { upstream: flags.upstream }),
    ...(flags.sign !== undefined && { sign: flags.sign }),
    ...(flags.withoutSecrets && { withoutSecrets: true }),
  };
}

function printJson({ io }: CommandContext, result: ReplayResult): void {
  const { original, exchange, error, sameClass, comparison, changes } = result;
  io.stdout.write(
    encodeEvent("replay", io.now(), {
      original: original.id,
      replay: exchange?.id,
      method: original.method,
      target: original.target,
      before: original.status,
      after: exchange?.status,
      sameClass,
      changes,
      comparison,
      code: error?.code,
      message: error?.message,
    }),
  );
}
