import { expect, test } from "vitest";
import { phasesOf } from "./phases.ts";

test("each phase begins where the one before ends", () => {
  expect(
    phasesOf({
      requestHeadMs: 1,
      requestEndMs: 3,
      responseStartMs: 20,
      responseHeadMs: 21,
      responseEndMs: 30,
    }),
  ).toEqual([
    { name: "Request head", from: 0, to: 1 },
    { name: "Request body", from: 1, to: 3 },
    { name: "Waiting", from: 3, to: 20 },
    { name: "Response head", from: 20, to: 21 },
    { name: "Response body", from: 21, to: 30 },
  ]);
});

test("what has not happened is left out", () => {
  expect(phasesOf({})).toEqual([]);
  expect(phasesOf({ requestHeadMs: 2 })).toEqual([
    { name: "Request head", from: 0, to: 2 },
  ]);
});

test("a response that begins before its request ends leaves nothing to wait for", () => {
  const phases = phasesOf({
    requestHeadMs: 1,
    requestEndMs: 50,
    responseStartMs: 10,
    responseHeadMs: 11,
    responseEndMs: 60,
  });
  expect(phases.find(({ name }) => name === "Waiting")).toEqual({
    name: "Waiting",
    from: 10,
    to: 10,
  });
});
