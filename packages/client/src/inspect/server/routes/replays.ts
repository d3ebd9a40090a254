// Repeats exchanges, one or the last so many that match.
import type * as v from "valibot";
import type { ReplayAnswer, ReplayManyAnswer } from "@expose/protocol";
import { compareResponses, countChanges } from "../../diff/compare.ts";
import type { ReplayWish } from "../../replay/plan.ts";
import type { Replayed, Replayer } from "../../replay/replayer.ts";
import { ReplayError } from "../../replay/replay-error.ts";
import { ApiError, describeError } from "../api-error.ts";
import type { InspectedWebhooks, InspectorOptions } from "../inspected.ts";
import { sendJson, untilGone } from "../respond.ts";
import type { Route } from "../router.ts";
import { decodeSide } from "./compare.ts";
import { readOrder, replayManyOrder, replayOrder } from "./orders.ts";
import { findExchange, readFilter } from "./parameters.ts";

export function replayRoutes(
  { store, webhooks }: InspectorOptions,
  replayer: Replayer,
): Route[] {
  return [
    {
      method: "POST",
      pattern: "/api/v1/exchanges/:id/replay",
      access: "token",
      async handle({ request, response, params }) {
        const order = await readOrder(request, replayOrder);
        const original = await findExchange(store, params["id"]);
        const results = await replayer.replay(
          original,
          wishOf(order, webhooks),
          {
            upstream: order.upstream,
            times: order.times,
            signal: untilGone(response),
          },
        );
        sendJson(response, {
          results: results.map(describeReplay),
        } satisfies ReplayAnswer);
      },
    },
    {
      method: "POST",
      pattern: "/api/v1/replays",
      access: "token",
      async handle({ request, response }) {
        const order = await readOrder(request, replayManyOrder);
        const originals = await replayer.findLast(
          readFilter(order.filter),
          order.last,
        );
        const wish = wishOf(order, webhooks);
        const signal = untilGone(response);
        const results: ReplayManyAnswer["results"][number][] = [];
        // One after the other, in the order in which they came: what they do may build upon one another.
        for (const original of originals) {
          if (signal.aborted) return;
          const before = {
            original: original.id,
            ...(original.status !== undefined && { before: original.status }),
          };
          try {
            const [replayed] = await replayer.replay(original, wish, {
              upstream: order.upstream,
              signal,
            });
            results.push({
              ...before,
              ...(await describeChange(replayed!)),
            });
          } catch (error) {
            if (!(error instanceof ReplayError)) throw error;
            results.push({
              ...before,
              sameClass: false,
              error: describeError(error).body.error,
            });
          }
        }
        sendJson(response, { results } satisfies ReplayManyAnswer);
      },
    },
  ];

  async function describeChange(
    replayed: Replayed,
  ): Promise<Omit<ReplayManyAnswer["results"][number], "original" | "before">> {
    const { id, status, error, sameClass } = describeReplay(replayed);
    const bodies = await store.bodies(replayed.original.id);
    const comparison =
      bodies &&
      replayed.exchange &&
      compareResponses(
        await decodeSide(replayed.original, bodies.response),
        await decodeSide(replayed.exchange, replayed.responseBody),
      );
    return {
      ...(id !== "" && { replay: id }),
      ...(status !== undefined && { after: status }),
      ...(comparison && { changes: countChanges(comparison) }),
      ...(error && { error }),
      sameClass,
    };
  }
}

/** How a replay went, for the API. */
function describeReplay(replayed: Replayed): ReplayAnswer["results"][number] {
  const { exchange, error, sameClass } = replayed;
  return {
    id: exchange?.id ?? "",
    ...(exchange?.status !== undefined && { status: exchange.status }),
    ...(error && { error: describeError(error).body.error }),
    sameClass,
  };
}

/** @throws ApiError `feature-missing` */
function wishOf(
  order: Partial<v.InferOutput<typeof replayOrder>>,
  webhooks: InspectedWebhooks | undefined,
): ReplayWish {
  const { sign: provider, times: _t, upstream: _u, ...edit } = order;
  if (provider === undefined) return edit;
  if (!webhooks)
    throw new ApiError(
      "feature-missing",
      "This client was started without webhook secrets.",
    );
  return {
    ...edit,
    sign: (exchange, body) => webhooks.sign(provider, exchange, body),
  };
}
