// `expose save ID FILE`: a captured exchange as a file: a .http file, a HAR, a command, a test.
import { writeFile } from "node:fs/promises";
import {
  exportFormats,
  type Exchange,
  type ExportFormat,
  type MessagePage,
} from "@expose/protocol";
import { ExposeError } from "../../errors.ts";
import type { StoredExchange } from "../../inspect/capture.ts";
import {
  exportExchange,
  isExportFormat,
} from "../../inspect/export/export-exchange.ts";
import { redact } from "../../inspect/store/redact.ts";
import type { CommandRun } from "../command.ts";
import type { InspectorClient } from "../inspectors/client.ts";
import { findExchange, openInspectors } from "../inspectors/find.ts";
import { resolveId } from "../inspectors/list.ts";
import { escapeForTerminal } from "../output/escape.ts";

export const run: CommandRun = async (
  context,
  [wanted = "", file = ""],
  flags,
) => {
  const { io } = context;
  const format = chooseFormat(file, flags.as);
  const inspectors = await openInspectors(context);
  try {
    const id = await resolveId(inspectors, wanted);
    const { client, exchange } = await findExchange(inspectors, id);
    // Such files end up in repositories.
    const stored = await readStored(
      client,
      flags.withSecrets ? exchange : redact(exchange),
    );
    const { text } = await exportExchange(stored, format);
    if (file === "-") {
      io.stdout.write(text);
      return 0;
    }
    await write(file, text, flags);
    io.stderr.write(`expose: saved as ${escapeForTerminal(file)}\n`);
    return 0;
  } finally {
    await inspectors.close();
  }
};

const EXTENSIONS: readonly (readonly [RegExp, ExportFormat])[] = [
  [/\.(?:http|rest)$/i, "http"],
  [/\.har$/i, "har"],
  [/\.(?:test|spec)\.[cm]?[jt]s$/i, "vitest"],
  [/\.[cm]?[jt]s$/i, "fetch"],
  [/\.sh$/i, "curl"],
];

// @throws ExposeError `usage-invalid`
function chooseFormat(file: string, as: string | undefined): ExportFormat {
  if (as !== undefined) {
    if (isExportFormat(as)) return as;
    throw new ExposeError(
      "usage-invalid",
      `--as "${as}" is none of ${exportFormats.join(", ")}.`,
    );
  }
  const found = EXTENSIONS.find(([pattern]) => pattern.test(file));
  if (found) return found[1];
  if (file === "-") return "http";
  throw new ExposeError(
    "usage-invalid",
    `The name ${file} does not say what to write: let it end in .http, .har, .sh, .test.ts or .mjs, or give --as.`,
  );
}

async function readStored(
  client: InspectorClient,
  exchange: Exchange,
): Promise<StoredExchange> {
  const path = `/api/v1/exchanges/${exchange.id}`;
  const [request, response, messages] = await Promise.all([
    client.getBytes(`${path}/request/body`),
    client.getBytes(`${path}/response/body`),
    client.get<MessagePage>(`${path}/messages`),
  ]);
  return {
    exchange,
    bodies: { request: request.bytes, response: response.bytes },
    messages: messages.items,
  };
}

async function write(
  file: string,
  text: string,
  {
    force = false,
    withSecrets = false,
  }: { force?: boolean; withSecrets?: boolean },
): Promise<void> {
  try {
    await writeFile(file, text, {
      flag: force ? "w" : "wx",
      mode: withSecrets ? 0o600 : 0o666,
    });
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    throw new ExposeError(
      "http-file-invalid",
      code === "EEXIST"
        ? `${file} is there already; --force writes over it.`
        : `${file} cannot be written (${code ?? message}).`,
      { cause: error },
    );
  }
}
