// The webhooks of one client: what a request is, whether its signature holds, and signatures for replays. It keeps the
// secrets to itself: they are in nothing that it returns or throws.
import type { Exchange, HeaderLine, WebhookFacts } from "@expose/protocol";
import { ExposeError } from "../../errors.ts";
import { nearest } from "../../nearest.ts";
import type { WebhookOptions } from "../../options.ts";
import { createHmacProvider } from "./providers/hmac.ts";
import { providers as knownProviders } from "./providers/list.ts";
import type { WebhookProvider } from "./provider.ts";
import { readSecrets, secretVariable } from "./secrets.ts";
import { verifyWebhook, type Verdict } from "./verify.ts";
import {
  createWebhookRequest,
  type WebhookRequest,
} from "./webhook-request.ts";

/** See the file's head. */
export interface Webhooks {
  /** Providers whose secret is configured. */
  readonly configured: readonly string[];
  /** Lower-case names of the headers that carry signatures, which a history has to keep. */
  readonly signatureHeaders: readonly string[];
  /**
   * Says what a complete request is. Costs next to nothing for one that is no webhook. Never throws.
   *
   * @param readBody gives what is kept of its body; called for webhooks alone
   * @returns undefined when it is no webhook of a provider that is known
   */
  explain(exchange: Exchange, readBody: () => Buffer): WebhookFacts | undefined;
  /**
   * Signs a request anew, with a fresh timestamp.
   *
   * @returns headers to set in place of those there
   * @throws ExposeError `provider-unknown`, `webhook-secret-missing`
   */
  sign(
    provider: string,
    exchange: Exchange,
    body: Buffer,
  ): readonly HeaderLine[];
}

/** Settings by the providers' names; one that has a header is a provider of its own. */
export type WebhooksSettings = Readonly<Record<string, WebhookOptions>>;

/**
 * @throws ExposeError `config-invalid` for settings of a provider that is not known and has no header
 * @param options.env where secrets are; read once
 * @param options.now clock for fresh timestamps, in milliseconds
 */
export function createWebhooks(options: {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly settings?: WebhooksSettings | undefined;
  readonly now?: () => number;
}): Webhooks {
  const { env, settings = {}, now = Date.now } = options;
  const all = listProviders(settings).map((provider, place): Entry => {
    const variable =
      settings[provider.name]?.secretEnv ?? secretVariable(provider.name);
    return { provider, place, variable, secrets: readSecrets(env, variable) };
  });
  // Where two have a mark in common, the first one counts.
  const byMark = new Map(
    all
      .flatMap((entry) =>
        entry.provider.marks.map((mark) => [mark, entry] as const),
      )
      .reverse(),
  );
  const findEntry = (headers: readonly HeaderLine[]): Entry | undefined => {
    let best: Entry | undefined;
    for (const [name] of headers) {
      const entry = byMark.get(name.toLowerCase());
      if (entry && (!best || entry.place < best.place)) best = entry;
    }
    return best;
  };
  const budget = createBudget();

  return {
    configured: all
      .filter(({ secrets }) => secrets.length > 0)
      .map(({ provider }) => provider.name),
    signatureHeaders: [...byMark.keys(), ...BESIDE_SIGNATURES],
    explain(exchange, readBody) {
      const entry = findEntry(exchange.request?.headers ?? []);
      if (!entry) return undefined;
      const { provider, variable, secrets } = entry;
      const body = readBody();
      return budget.spend((thorough) => {
        const request = createWebhookRequest(
          exchange,
          body,
          thorough ? undefined : MAX_HURRIED_BYTES,
        );
        const { event, object } = provider.describe(request);
        return {
          provider: provider.name,
          ...(event !== undefined && { event }),
          ...(object !== undefined && { object }),
          ...judge(exchange, request, thorough),
        };
      });

      function judge(
        { request: captured }: Exchange,
        request: WebhookRequest,
        thorough: boolean,
      ): Verdict {
        if (secrets.length === 0)
          return {
            verdict: "unchecked",
            code: "no-secret",
            reason: `To check the signature, set ${variable} to the secret.`,
          };
        const { bytes = 0, keptBytes = 0 } = captured?.body ?? {};
        if (keptBytes < bytes || body.length < keptBytes)
          return {
            verdict: "unchecked",
            code: "body-truncated",
            reason: `Only ${body.length} of the body's ${bytes} bytes are kept, and the signature is over all of them.`,
          };
        return verifyWebhook(provider, request, secrets, thorough);
      }
    },
    sign(name, exchange, body) {
      const entry = all.find(({ provider }) => provider.name === name);
      if (!entry)
        throw new ExposeError(
          "provider-unknown",
          `There is no provider of webhooks called ${name}: there are ${all.map(({ provider }) => provider.name).join(", ")}.`,
        );
      const { provider, variable, secrets } = entry;
      const request = createWebhookRequest(exchange, body);
      for (const secret of secrets) {
        const lines = provider.sign(request, secret, now());
        if (lines) return lines;
      }
      throw new ExposeError(
        "webhook-secret-missing",
        secrets.length === 0
          ? `There is no secret to sign for ${provider.title} with. Set the environment variable ${variable}.`
          : `Nothing can be signed for ${provider.title} with what ${variable} holds.`,
      );
    },
  };
}

interface Entry {
  readonly provider: WebhookProvider;
  /** Of several that fit, the one with the lowest is meant. */
  readonly place: number;
  readonly variable: string;
  readonly secrets: readonly string[];
}

// Names of what is signed beside the body.
const BESIDE_SIGNATURES = [
  "webhook-timestamp",
  "svix-timestamp",
  "x-hub-signature",
];

// Those that are configured go first: a header that is named on purpose is meant.
function listProviders(settings: WebhooksSettings): WebhookProvider[] {
  const known = knownProviders.map(({ name }) => name);
  for (const [name, { header }] of Object.entries(settings)) {
    if (header !== undefined || known.includes(name)) continue;
    const meant = nearest(name, known);
    throw new ExposeError(
      "config-invalid",
      `webhooks.${name}: there is no such provider; ${meant ? `is it ${meant}?` : `there are ${known.join(", ")}.`} One of your own needs a header.`,
    );
  }
  return [
    ...Object.entries(settings).flatMap(([name, { header, ...rest }]) =>
      header === undefined
        ? []
        : [createHmacProvider(name, { header, ...rest })],
    ),
    ...knownProviders.filter(
      ({ name }) => settings[name]?.header === undefined,
    ),
  ];
}

// Anybody may send requests that look like webhooks, and the search for a cause takes milliseconds.
const MAX_SEARCH_MS_PER_S = 100;
// Once that is used up, events are read out of small bodies only; signatures are checked in any case.
const MAX_HURRIED_BYTES = 16 * 1024;

function createBudget(): {
  spend<T>(work: (thorough: boolean) => T): T;
} {
  let second = 0;
  let spentMs = 0;
  return {
    spend(work) {
      const startedAt = performance.now();
      const current = Math.floor(startedAt / 1_000);
      if (current !== second) {
        second = current;
        spentMs = 0;
      }
      const result = work(spentMs < MAX_SEARCH_MS_PER_S);
      spentMs += performance.now() - startedAt;
      return result;
    },
  };
}
