// Has an exchange repeated, and compares what came back with what was there before.
import type {
  Comparison,
  Exchange,
  InspectorError,
  ReplayAnswer,
  ReplayOrder,
} from "@expose/protocol";
import { ExposeError } from "../../errors.ts";
import { countChanges } from "../../inspect/diff/compare.ts";
import type { InspectorClient } from "./client.ts";

/** One replay. */
export interface ReplayResult {
  readonly original: Exchange;
  /** The replay; absent when nothing was sent, or nothing captured. */
  readonly exchange: Exchange | undefined;
  readonly error: Pick<InspectorError, "code" | "message"> | undefined;
  readonly sameClass: boolean;
  /** Absent when there is nothing to compare. */
  readonly comparison: Comparison | undefined;
  readonly changes: number | undefined;
}

/**
 * @param alone whether there is nothing else to do: what keeps it from being sent is thrown then
 * @throws ExposeError
 */
export async function replayExchange(
  {
    client,
    exchange: original,
  }: { client: InspectorClient; exchange: Exchange },
  order: ReplayOrder,
  alone: boolean,
): Promise<ReplayResult[]> {
  let answer: ReplayAnswer;
  try {
    answer = await client.post<ReplayAnswer>(
      `/api/v1/exchanges/${original.id}/replay`,
      order,
    );
  } catch (error) {
    if (alone || !(error instanceof ExposeError)) throw error;
    return [
      {
        original,
        exchange: undefined,
        error: { code: error.code, message: error.message },
        sameClass: false,
        comparison: undefined,
        changes: undefined,
      },
    ];
  }
  const results: ReplayResult[] = [];
  for (const { id, error, sameClass } of answer.results) {
    const exchange =
      id === ""
        ? undefined
        : await client.get<Exchange>(`/api/v1/exchanges/${id}`);
    const comparison =
      exchange?.status === undefined
        ? undefined
        : await client.get<Comparison>(
            `/api/v1/compare?left=${original.id}&right=${id}`,
          );
    results.push({
      original,
      exchange,
      error,
      sameClass,
      comparison,
      changes: comparison && countChanges(comparison),
    });
  }
  return results;
}
