// Lets a person change a captured request before it is sent again.
import type { Exchange, ReplayOrder } from "@expose/protocol";
import type { Environment } from "../config/environment.ts";
import { ExposeError } from "../errors.ts";
import { valueOf } from "../inspect/header-values.ts";
import { readEditText, writeEditText } from "./edit-text.ts";
import type { InspectorClient } from "./inspectors/client.ts";
import { runEditor } from "./run-editor.ts";

/**
 * @returns what was changed; undefined when nothing was left
 * @throws ExposeError `replay-refused`, `editor-failed`, `usage-invalid`
 */
export async function editRequest(
  { client, exchange }: { client: InspectorClient; exchange: Exchange },
  env: Environment,
): Promise<ReplayOrder | undefined> {
  const { request, id } = exchange;
  if (!request)
    throw new ExposeError(
      "replay-refused",
      "This exchange cannot be replayed. It is no HTTP request.",
    );
  const { bytes, truncated } = await client.getBytes(
    `/api/v1/exchanges/${id}/request/body?decoded=1`,
  );
  const editable = {
    request,
    bodyText: truncated ? undefined : readText(bytes),
    decoded: valueOf(request.headers, "content-encoding") !== undefined,
  };
  return readEditText(await runEditor(writeEditText(editable), env), editable);
}

// Control characters would not survive an editor, or would drive the terminal that it runs in.
function readText(bytes: Buffer): string | undefined {
  try {
    const text = new TextDecoder("utf-8", {
      fatal: true,
      ignoreBOM: true,
    }).decode(bytes);
    return /[^\P{Cc}\t\n\r]/u.test(text) ? undefined : text;
  } catch {
    return undefined;
  }
}
