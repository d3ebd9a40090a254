// What visitors are told when the local service cannot be reached.
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { UpstreamSpec } from "@expose/protocol";
import { expect, test } from "vitest";
import { createDialer, DialTimeoutError } from "./dial.ts";
import { explainDialError } from "./dial-error.ts";
import { useFolder } from "./use-servers.ts";

const app: UpstreamSpec = { kind: "tcp", host: "localhost", port: 8080 };

test.each([
  [
    "ECONNREFUSED",
    true,
    "Nothing listens on localhost:8080 (connection refused).",
  ],
  ["ECONNRESET", true, "localhost:8080 closed the connection at once."],
  [
    "EHOSTUNREACH",
    true,
    "localhost:8080 cannot be reached (no route to the host).",
  ],
  [
    "ENETUNREACH",
    true,
    "localhost:8080 cannot be reached (no route to the network).",
  ],
  [
    "EAI_AGAIN",
    true,
    "The host of localhost:8080 could not be looked up (DNS).",
  ],
  ["ENOTFOUND", false, "The host of localhost:8080 is not known (DNS)."],
  [
    "EMFILE",
    true,
    "localhost:8080 cannot be reached: expose has no file descriptors left (ulimit -n).",
  ],
  ["EWHATEVER", false, "localhost:8080 cannot be reached (EWHATEVER)."],
])("%s is told in our own words", (code, passing, reason) => {
  const error = Object.assign(new Error("secret text"), { code });
  expect(explainDialError(app, error)).toEqual({ reason, passing });
});

test.each([
  new Error("secret text"),
  Object.assign(new Error("x"), { code: "secret text" }),
  "secret text",
  undefined,
])("nothing of an unknown error is told", (error) => {
  expect(explainDialError(app, error)).toEqual({
    reason: "localhost:8080 cannot be reached (unknown error).",
    passing: false,
  });
});

test("no answer in time is told with the time", () => {
  expect(explainDialError(app, new DialTimeoutError("x"))).toEqual({
    reason: "localhost:8080 did not answer within 10 seconds.",
    passing: false,
  });
});

test("what is no socket, or none yet, is told as the system sees it", async () => {
  const folder = await useFolder();
  await writeFile(join(folder, "file"), "");
  for (const [name, reason] of [
    ["missing", "(there is no such socket)"],
    ["file", "(connection refused)"],
  ] as const) {
    const spec: UpstreamSpec = { kind: "unix", path: join(folder, name) };
    const error: unknown = await createDialer(spec, undefined)
      .dial(new AbortController().signal)
      .catch((failure: unknown) => failure);
    expect(explainDialError(spec, error)).toEqual({
      reason: `Nothing listens on unix:${spec.path} ${reason}.`,
      passing: true,
    });
  }
});
