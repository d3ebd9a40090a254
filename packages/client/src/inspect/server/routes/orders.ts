// Reads the bodies of requests that order something.
import type { IncomingMessage } from "node:http";
import { MAX_REPLAY_LAST, MAX_REPLAY_TIMES } from "@expose/protocol";
import * as v from "valibot";
import { ApiError } from "../api-error.ts";
import { readJson } from "../read-json.ts";

const base64 = v.pipe(
  v.string("expected base64"),
  v.check(
    (text) => text.length % 4 === 0 && /^[A-Za-z0-9+/]*={0,2}$/.test(text),
    "expected base64",
  ),
  v.transform((text) => Buffer.from(text, "base64")),
);

const count = (most: number) =>
  v.pipe(
    v.number("expected a number"),
    v.integer("expected a whole number"),
    v.minValue(1, "expected 1 or more"),
    v.maxValue(most, `expected ${most} or fewer`),
  );

const word = v.pipe(v.string("expected text"), v.maxLength(1_000));

/** Body of POST /api/v1/exchanges/ID/replay. */
export const replayOrder = v.strictObject({
  method: v.optional(v.string("expected text")),
  target: v.optional(v.string("expected text")),
  headers: v.optional(
    v.array(
      v.tuple([v.string("expected text"), v.string("expected text")]),
      "expected pairs of name and value",
    ),
  ),
  body: v.optional(base64),
  times: v.optional(count(MAX_REPLAY_TIMES)),
  upstream: v.optional(word),
  sign: v.optional(word),
  withoutSecrets: v.optional(v.boolean("expected true or false")),
});

/** Body of POST /api/v1/replays. */
export const replayManyOrder = v.strictObject({
  filter: v.optional(v.string("expected text")),
  last: count(MAX_REPLAY_LAST),
  upstream: v.optional(word),
  sign: v.optional(word),
  withoutSecrets: v.optional(v.boolean("expected true or false")),
});

/** Body of POST /api/requests/http, as ngrok has it. */
export const ngrokReplayOrder = v.object({
  id: word,
  tunnel_name: v.optional(word),
});

/** @throws ApiError `type-unsupported`, `body-too-large`, `request-invalid` with the place */
export async function readOrder<S extends v.GenericSchema>(
  request: IncomingMessage,
  schema: S,
): Promise<v.InferOutput<S>> {
  const parsed = v.safeParse(schema, await readJson(request));
  if (parsed.success) return parsed.output;
  const [issue] = parsed.issues;
  const place = v.getDotPath(issue);
  throw new ApiError(
    "request-invalid",
    `${place === null ? "The body" : place}: ${issue.message}.`,
  );
}
