// Exchanges in forms that leave the inspector: one in any of them, or all that match as one HAR.
import { once } from "node:events";
import type { ServerResponse } from "node:http";
import { exportFormats } from "@expose/protocol";
import { PRODUCT_VERSION } from "@expose/protocol/version";
import type { ExchangeStore, StoredExchange } from "../../capture.ts";
import {
  exportExchange,
  isExportFormat,
} from "../../export/export-exchange.ts";
import { toHarEntry } from "../../export/har.ts";
import { ApiError } from "../api-error.ts";
import { sendBytes, untilGone } from "../respond.ts";
import type { Route } from "../router.ts";
import { findExchange, readFilter } from "./parameters.ts";

/** Of one HAR, the newest. */
const MAX_EXPORTED = 10_000;
const PAGE = 500;

export function exportRoutes(store: ExchangeStore): Route[] {
  return [
    {
      method: "GET",
      pattern: "/api/v1/exchanges/:id/export",
      access: "token",
      async handle({ response, params, query }) {
        const format = query.get("as") ?? "";
        if (!isExportFormat(format))
          throw new ApiError(
            "request-invalid",
            `as must be one of ${exportFormats.join(", ")}.`,
          );
        const { id } = await findExchange(store, params["id"]);
        const stored = await readStored(store, id);
        if (!stored)
          throw new ApiError("exchange-unknown", "The exchange has just gone.");
        const { text, contentType, fileName } = await exportExchange(
          stored,
          format,
        );
        sendBytes(response, Buffer.from(text), fileName, {
          "Content-Type": contentType,
        });
      },
    },
    {
      method: "GET",
      pattern: "/api/v1/export",
      access: "token",
      async handle({ response, query }) {
        if (query.get("as") !== "har")
          throw new ApiError("request-invalid", "as must be har.");
        const filter = readFilter(query.get("filter"));
        const gone = untilGone(response);
        const ids: string[] = [];
        let before: string | undefined;
        do {
          const page = await store.list({ filter, limit: PAGE, before });
          ids.push(...page.items.map(({ id }) => id));
          before = page.next;
        } while (
          before !== undefined &&
          ids.length < MAX_EXPORTED &&
          !gone.aborted
        );
        if (gone.aborted) return;
        startHar(response, before !== undefined);
        await sendEntries(response, store, ids.reverse(), gone);
      },
    },
  ];
}

function startHar(response: ServerResponse, truncated: boolean): void {
  response.writeHead(200, {
    "Content-Type": "application/json; charset=utf-8",
    "Content-Disposition": 'attachment; filename="expose.har"',
    ...(truncated && { "X-Expose-Truncated": "1" }),
  });
  const creator = { name: "expose", version: PRODUCT_VERSION };
  response.write(
    `{"log":{"version":"1.2","creator":${JSON.stringify(creator)},"entries":[`,
  );
}

// One by one, as fast as they are read: all bodies together may be larger than what a process may hold.
async function sendEntries(
  response: ServerResponse,
  store: ExchangeStore,
  ids: readonly string[],
  gone: AbortSignal,
): Promise<void> {
  let first = true;
  for (const id of ids) {
    if (gone.aborted) return;
    const stored = await readStored(store, id);
    // Gone meanwhile, or no HTTP.
    if (!stored?.exchange.request) continue;
    const entry = JSON.stringify(await toHarEntry(stored));
    const more = response.write(`${first ? "" : ","}\n${entry}`);
    first = false;
    if (!more) await once(response, "drain", { signal: gone }).catch(() => {});
  }
  response.end("\n]}}\n");
}

async function readStored(
  store: ExchangeStore,
  id: string,
): Promise<StoredExchange | undefined> {
  const [exchange, bodies, messages] = await Promise.all([
    store.get(id),
    store.bodies(id),
    store.messages(id),
  ]);
  return exchange && bodies && { exchange, bodies, messages: messages ?? [] };
}
