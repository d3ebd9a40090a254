// Puts together what two sides know of a request: the edge when it was answered, the inspector what webhook it was. Both
// come within a moment, in either order.
import type { ExchangeSummary, WebhookFacts } from "@expose/protocol";
import type { RequestInfo } from "../../tunnel.ts";

/** See the file's head. */
export interface RequestJoin {
  /** A request was answered. It is told at once, or a moment later when it may be a webhook. */
  request(info: RequestInfo): void;
  /** The inspector knows what webhook a request is. */
  webhook(
    summary: Pick<ExchangeSummary, "method" | "target" | "webhook">,
  ): void;
  /** Tells what is held back, now. */
  flush(): void;
}

/** Facts come after 50 ms as a rule; longer than this nobody waits for a line. */
const HOLD_MS = 300;
// Of a service that takes its time the facts come long before the answer.
const MAX_WAITING = 200;
const MAX_HELD = 100;

/**
 * @param tell gets each request, in the order in which they are complete
 * @param mayExplain whether the inspector sees requests at all
 */
export function createRequestJoin(
  tell: (info: RequestInfo) => void,
  mayExplain: () => boolean,
): RequestJoin {
  const waiting: { key: string; facts: WebhookFacts }[] = [];
  const held = new Map<RequestInfo, { key: string; timer: NodeJS.Timeout }>();

  const release = (info: RequestInfo, facts?: WebhookFacts): void => {
    clearTimeout(held.get(info)?.timer);
    held.delete(info);
    tell(facts ? { ...info, webhook: facts } : info);
  };

  return {
    request(info) {
      const key = keyOf(info.method, info.path);
      const at = waiting.findIndex((entry) => entry.key === key);
      if (at >= 0) return release(info, waiting.splice(at, 1)[0]!.facts);
      // Webhooks are posted.
      if (info.method !== "POST" || !mayExplain() || held.size >= MAX_HELD)
        return tell(info);
      const timer = setTimeout(() => release(info), HOLD_MS);
      timer.unref();
      held.set(info, { key, timer });
    },
    webhook({ method, target, webhook }) {
      if (!webhook) return;
      const key = keyOf(method, target);
      for (const [info, entry] of held)
        if (entry.key === key) return release(info, webhook);
      waiting.push({ key, facts: webhook });
      if (waiting.length > MAX_WAITING) waiting.shift();
    },
    flush() {
      for (const info of [...held.keys()]) release(info);
      waiting.length = 0;
    },
  };
}

// The edge redacts queries.
const keyOf = (method: string, target: string): string =>
  `${method} ${target.split("?", 1)[0]}`;
