import { expect, test } from "vitest";
import { defaultHttpTimeouts } from "./limits.ts";
import { decideDue, type RelayState } from "./relay-limits.ts";

const idle: RelayState = {
  quietMs: 0,
  connected: true,
  crowded: false,
  awaitsContinue: false,
  awaitsBody: false,
  answered: false,
  held: false,
};
const timeouts = {
  ...defaultHttpTimeouts,
  connectMs: 10,
  continueMs: 20,
  requestIdleMs: 30,
  firstByteMs: 40,
  responseIdleMs: 50,
};

test.each<[string, Partial<RelayState>, number, unknown]>([
  ["without a connection", { connected: false }, 10, "forward-failed"],
  ["in a crowd", { connected: false, crowded: true }, 10, "tunnel-busy"],
  ["before a 100", { awaitsContinue: true }, 20, "continue"],
  ["within its body", { awaitsBody: true }, 30, "request-timeout"],
  ["before its answer", {}, 40, "upstream-timeout"],
  ["within its answer", { answered: true }, 50, "upstream-timeout"],
  [
    "that was answered early",
    { answered: true, awaitsBody: true },
    50,
    "upstream-timeout",
  ],
])(
  "a request %s is due after its limit, and not before",
  (_, state, limitMs, due) => {
    expect(
      decideDue({ ...idle, ...state, quietMs: limitMs }, timeouts),
    ).toBeUndefined();
    const late = decideDue(
      { ...idle, ...state, quietMs: limitMs + 1 },
      timeouts,
    );
    expect(typeof late === "object" ? late.code : late).toBe(due);
  },
);

test("an answer is never due while its visitor does not read, nor where the limit is 0", () => {
  const late = { ...idle, answered: true, quietMs: 1e9 };
  expect(decideDue({ ...late, held: true }, timeouts)).toBeUndefined();
  expect(decideDue(late, { ...timeouts, responseIdleMs: 0 })).toBeUndefined();
});
