// What is looked up in the head of a message that is not captured: how it ends, and whether it changes the protocol.
import {
  mayHaveBody,
  NO_BODY,
  planCodings,
  planLength,
  UNTIL_CLOSE,
  type BodyPlan,
} from "./framing.ts";

/** What must be known of a request to read its response. */
export interface TrackedRequest {
  readonly method: string;
  readonly asksUpgrade: boolean;
  readonly plan: BodyPlan;
}

/** What must be known of a response. */
export interface TrackedResponse {
  readonly status: number;
  readonly plan: BodyPlan;
}

const BODY_FIELD =
  /\r\n(?:content-length:[ \t]*(\d+)|transfer-encoding:([^\r\n]*))/i;
const UPGRADE = /\r\nupgrade:/i;

/** @throws Error when it is no request */
export function trackRequest(head: string): TrackedRequest {
  const method = /^[!-~]+(?= )/.exec(head)?.[0];
  if (method === undefined) throw new Error("It is no request.");
  return {
    method,
    asksUpgrade: method === "CONNECT" || UPGRADE.test(head),
    plan: planField(head) ?? NO_BODY,
  };
}

/** @throws Error when it is no response */
export function trackResponse(head: string, method: string): TrackedResponse {
  const status = Number(/^HTTP\/1\.[01] (\d{3})(?!\d)/.exec(head)?.[1]);
  if (Number.isNaN(status)) throw new Error("It is no response.");
  const bodiless =
    method === "HEAD" ||
    !mayHaveBody(status) ||
    (method === "CONNECT" && status < 300);
  return {
    status,
    plan: bodiless ? NO_BODY : (planField(head) ?? UNTIL_CLOSE),
  };
}

function planField(head: string): BodyPlan | undefined {
  const match = BODY_FIELD.exec(head);
  if (!match) return undefined;
  const [, length, codings] = match;
  return codings === undefined ? planLength(length!) : planCodings(codings);
}
