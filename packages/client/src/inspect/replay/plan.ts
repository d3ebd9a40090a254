// Decides whether an exchange can be repeated, and what exactly is sent.
import type { CapturedRequest, Exchange, HeaderLine } from "@expose/protocol";
import { valueOf } from "../header-values.ts";
import { REDACTED, TARGET } from "../store/redact.ts";
import { applyEdit, type EditedRequest, type RequestEdit } from "./edit.ts";
import { ReplayError } from "./replay-error.ts";

/** What a caller wants of a replay, beside where it goes. */
export interface ReplayWish extends RequestEdit {
  /** Leave headers away whose values are not in the history any more. */
  readonly withoutSecrets?: boolean | undefined;
  /** Headers to set in place of those there: a fresh signature. */
  sign?(exchange: Exchange, body: Buffer): readonly HeaderLine[];
}

/**
 * Makes the request that is to be sent.
 *
 * @param body what is kept of the original's body
 * @throws ReplayError `replay-refused`, `secrets-missing`, `request-invalid`
 */
export function planReplay(
  exchange: Exchange,
  body: Buffer,
  wish: ReplayWish,
): EditedRequest {
  const request = exchange.request;
  if (!request || exchange.kind === "raw")
    throw refused("It is no HTTP request.");
  if (exchange.kind === "websocket")
    throw refused("A WebSocket is a conversation, which takes two.");
  if (wish.body === undefined) checkBody(exchange, request, body);
  const edited = applyEdit(request, body, {
    method: wish.method,
    target: wish.target,
    headers: wish.headers,
    body: wish.body,
  });
  const complete = leaveSecrets(edited, exchange, wish);
  if (!wish.sign) return complete;
  const signed = wish.sign(
    {
      ...exchange,
      method: complete.request.method,
      target: complete.request.target,
      request: complete.request,
    },
    complete.body,
  );
  return {
    ...complete,
    request: {
      ...complete.request,
      headers: setHeaders(complete.request.headers, signed),
    },
  };
}

function checkBody(
  exchange: Exchange,
  request: CapturedRequest,
  body: Buffer,
): void {
  if (
    request.body.keptBytes < request.body.bytes ||
    body.length < request.body.keptBytes
  )
    throw refused(
      `Of its body, ${body.length} of ${request.body.bytes} bytes are kept. Give a body of your own, or raise inspect.history.maxBodyBytes before the next one.`,
    );
  const length = valueOf(request.headers, "content-length");
  const whole =
    request.body.framing === "chunked"
      ? exchange.timing.requestEndMs !== undefined
      : length === undefined || Number(length) === body.length;
  if (!whole)
    throw refused(
      "Its body never came to its end. Give a body of your own to send it nevertheless.",
    );
}

function leaveSecrets(
  edited: EditedRequest,
  exchange: Exchange,
  wish: ReplayWish,
): EditedRequest {
  const { headers, target } = edited.request;
  const redacted = new Set(exchange.redacted);
  // What was given anew does not read so any more.
  const isGone = ([name, value]: HeaderLine): boolean =>
    redacted.has(name.toLowerCase()) && value.includes(REDACTED);
  const names = headers.filter(isGone).map(([name]) => name.toLowerCase());
  if (redacted.has(TARGET) && target.includes(REDACTED)) names.push(TARGET);
  const gone = [...new Set(names)];
  if (gone.length === 0) return edited;
  if (!wish.withoutSecrets)
    throw new ReplayError(
      "secrets-missing",
      `The history does not keep the value of ${gone.map(describe).join(", ")}. Give it anew, or send the request without (withoutSecrets, --without-secrets).`,
      { headers: gone },
    );
  return {
    ...edited,
    request: {
      ...edited.request,
      target: leaveParameters(target),
      headers: headers.filter((line) => !isGone(line)),
    },
  };
}

const describe = (name: string): string =>
  name === TARGET ? "a parameter of the query" : name;

// `/path?a=1&token=[redacted]` becomes `/path?a=1`.
function leaveParameters(target: string): string {
  const start = target.indexOf("?");
  if (start < 0 || !target.includes(REDACTED)) return target;
  const kept = target
    .slice(start + 1)
    .split("&")
    .filter((pair) => !pair.includes(`=${REDACTED}`));
  return target.slice(0, start) + (kept.length > 0 ? `?${kept.join("&")}` : "");
}

/** Each takes the place of the first line of its name; further lines of that name go. */
export function setHeaders(
  headers: readonly HeaderLine[],
  wanted: readonly HeaderLine[],
): HeaderLine[] {
  const left = new Map(
    wanted.map((line) => [line[0].toLowerCase(), line] as const),
  );
  const names = new Set(left.keys());
  const result: HeaderLine[] = [];
  for (const [name, value] of headers) {
    const key = name.toLowerCase();
    if (!names.has(key)) {
      result.push([name, value]);
      continue;
    }
    const line = left.get(key);
    left.delete(key);
    if (line) result.push([name, line[1]]);
  }
  return [...result, ...left.values()];
}

const refused = (why: string): ReplayError =>
  new ReplayError("replay-refused", `This exchange cannot be replayed. ${why}`);
