// The phases of an exchange, from the times that its capture noted.
import type { ExchangeTiming } from "@expose/protocol";

export interface Phase {
  readonly name: string;
  /** Milliseconds after the exchange's start. */
  readonly from: number;
  readonly to: number;
}

/** Phases that have begun and ended, in order. A response may begin before its request ends; phases then overlap. */
export function phasesOf(timing: ExchangeTiming): Phase[] {
  const {
    requestHeadMs,
    requestEndMs,
    responseStartMs,
    responseHeadMs,
    responseEndMs,
  } = timing;
  const waitingFrom = earlier(requestEndMs, responseStartMs) ?? requestHeadMs;
  const phases: [string, number | undefined, number | undefined][] = [
    ["Request head", 0, requestHeadMs],
    ["Request body", requestHeadMs, requestEndMs],
    ["Waiting", waitingFrom, responseStartMs],
    ["Response head", responseStartMs, responseHeadMs],
    ["Response body", responseHeadMs ?? responseStartMs, responseEndMs],
  ];
  return phases.flatMap(([name, from, to]) =>
    from === undefined || to === undefined || to < from
      ? []
      : [{ name, from, to }],
  );
}

const earlier = (a: number | undefined, b: number | undefined) =>
  a === undefined || (b !== undefined && b < a) ? b : a;
