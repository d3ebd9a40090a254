// Sends a captured request once more.
import type { ReplayAnswer, ReplayOrder } from "@expose/protocol";
import { ApiError, call } from "./call.ts";
import { replayPath } from "./paths.ts";

/**
 * @returns id of the exchange that the replay is
 * @throws ApiError also when it was sent and nothing came back
 */
export async function replayOnce(
  id: string,
  order: ReplayOrder = {},
): Promise<string> {
  const [result] = (await replay(id, order)).results;
  if (!result)
    throw new ApiError({ code: "replay-failed", message: "Nothing was sent." });
  if (result.error && !result.id) throw new ApiError(result.error);
  return result.id;
}

/** As often as the order says. @throws ApiError */
export const replay = (id: string, order: ReplayOrder): Promise<ReplayAnswer> =>
  call<ReplayAnswer>(replayPath(id), { method: "POST", json: order });
