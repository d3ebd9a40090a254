import { describe, expect, it } from "vitest";
import { ExposeError } from "../errors.ts";
import { isNetworkAway, nextDelayMs } from "./backoff.ts";

const lost = new ExposeError("connection-lost", "gone");
const unreachable = (code: string): ExposeError =>
  new ExposeError("server-unreachable", "no answer", {
    cause: Object.assign(new Error(code), { code }),
  });

describe("the delay before the next attempt", () => {
  it("begins within half a second and doubles up to thirty", () => {
    const ceilings = [1, 2, 3, 4, 5, 6, 7, 8, 20].map((attempt) =>
      nextDelayMs(attempt, lost, 0.999_999),
    );
    expect(ceilings).toEqual([
      500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000,
    ]);
  });

  it("is a random share of the whole, so that a herd spreads out", () => {
    expect(nextDelayMs(7, lost, 0)).toBe(0);
    expect(nextDelayMs(7, lost, 0.5)).toBe(15_000);
  });

  it("stays near a second while the network itself is away", () => {
    for (const code of [
      "ETIMEDOUT",
      "ENETUNREACH",
      "EHOSTUNREACH",
      "EAI_AGAIN",
    ])
      for (const attempt of [1, 30]) {
        expect(
          nextDelayMs(attempt, unreachable(code), 0.99),
        ).toBeLessThanOrEqual(1_000);
        expect(
          nextDelayMs(attempt, unreachable(code), 0),
        ).toBeGreaterThanOrEqual(250);
      }
  });

  it("grows for a server that refuses, because that one is reached and may be overrun", () => {
    expect(isNetworkAway(unreachable("ECONNREFUSED"))).toBe(false);
    expect(nextDelayMs(7, unreachable("ECONNREFUSED"), 0.999_999)).toBe(30_000);
  });
});
