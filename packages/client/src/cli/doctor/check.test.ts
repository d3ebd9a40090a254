import { expect, it } from "vitest";
import { ExposeError } from "../../errors.ts";
import { failBecause } from "./check.ts";

it("says once what to do, when the error says it already", () => {
  const error = new ExposeError(
    "server-unreachable",
    "h:1 cannot be reached: nothing listens on port 1. Check the port, and that the server is running.",
  );
  expect(failBecause("reach", error)).toEqual({
    ...{ name: "reach", status: "FAIL" },
    detail: "h:1 cannot be reached: nothing listens on port 1.",
    action: "Check the port, and that the server is running.",
  });
});

it("adds the next command to type, when the error does not", () => {
  const error = new ExposeError("key-missing", "There is no key.");
  expect(failBecause("keys", error)).toMatchObject({
    detail: "There is no key.",
    action: "ssh-keygen -t ed25519, or name a key with --identity",
  });
});
