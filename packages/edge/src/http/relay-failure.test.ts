import { expect, it } from "vitest";
import { decideFailure, type FailedAttempt } from "./relay-failure.ts";

const attempt: FailedAttempt = {
  failure: "closed",
  answered: false,
  served: false,
  spare: false,
  repeatable: true,
  retried: false,
  rerouted: false,
  tunnelGone: false,
};

it.each<[string, Partial<FailedAttempt>, ReturnType<typeof decideFailure>]>([
  ["nobody behind it", {}, { code: "upstream-down" }],
  ["one that was kept", { served: true }, "again"],
  ["a spare", { spare: true }, "again"],
  [
    "one that was kept, for what changes something",
    { served: true, repeatable: false },
    { code: "upstream-closed" },
  ],
  [
    "a spare, for what changes something",
    { spare: true, repeatable: false },
    { code: "upstream-down" },
  ],
  ["the second one", { spare: true, retried: true }, { code: "upstream-down" }],
  [
    "half an answer",
    { served: true, answered: true },
    { code: "upstream-closed" },
  ],
  [
    "no HTTP",
    { served: true, failure: "invalid" },
    { code: "upstream-invalid" },
  ],
  ["a bug", { served: true, failure: "bug" }, { code: "edge-error" }],
  ["a tunnel that ends", { tunnelGone: true }, "reroute"],
  [
    "a tunnel that ends, after a retry",
    { tunnelGone: true, retried: true },
    "reroute",
  ],
  [
    "a tunnel that ends again",
    { tunnelGone: true, rerouted: true },
    { code: "forward-failed", retryAfterS: 1 },
  ],
  [
    "a tunnel that ends, for what changes something",
    { tunnelGone: true, repeatable: false },
    { code: "forward-failed", retryAfterS: 1 },
  ],
])("decides about %s", (_, facts, next) => {
  expect(decideFailure({ ...attempt, ...facts })).toEqual(next);
});
