// The providers that are known without configuration, in the order in which a request is held against them.
import type { WebhookProvider } from "../provider.ts";
import { github } from "./github.ts";
import { shopify } from "./shopify.ts";
import { slack } from "./slack.ts";
import { standard } from "./standard.ts";
import { stripe } from "./stripe.ts";
import { twilio } from "./twilio.ts";

export const providers: readonly WebhookProvider[] = [
  github,
  stripe,
  slack,
  shopify,
  twilio,
  standard,
];
