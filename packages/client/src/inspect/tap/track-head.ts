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

// All that is looked for in one pass: most heads have one of them or none.
const FIELD =
  /\r\n(?:content-length:[ \t]*(\d+)|transfer-encoding:([^\r\n]*)|(upgrade):)/gi;

/** @throws Error when it is no request */
export function trackRequest(head: string): TrackedRequest {
  const space = head.indexOf(" ");
  const method = head.slice(0, space);
  if (space < 1 || !/^[!-~]+$/.test(method))
    throw new Error("It is no request.");
  const { plan, upgrade } = findFields(head);
  return {
    method,
    asksUpgrade: upgrade || method === "CONNECT",
    plan: plan ?? NO_BODY,
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
    plan: bodiless ? NO_BODY : (findFields(head).plan ?? UNTIL_CLOSE),
  };
}

function findFields(head: string): {
  plan: BodyPlan | undefined;
  upgrade: boolean;
} {
  let plan: BodyPlan | undefined;
  let upgrade = false;
  FIELD.lastIndex = 0;
  for (;;) {
    const match = FIELD.exec(head);
    if (!match) return { plan, upgrade };
    const [, length, codings] = match;
    if (length !== undefined) plan ??= planLength(length);
    // RFC 9112 section 6.3: it goes before a length.
    else if (codings !== undefined) plan = planCodings(codings);
    else upgrade = true;
  }
}
