// Signs a request of a file as a webhook of a provider.
import type { HeaderLine } from "@expose/protocol";
import { setHeaders } from "../replay/plan.ts";
import type { Webhooks } from "../webhooks/create-webhooks.ts";
import type { WholeRequest } from "./read-http-file.ts";

/**
 * @param place where it is sent to, which Twilio signs
 * @returns its headers with the new signature in place of the old one
 * @throws ExposeError `provider-unknown`, `webhook-secret-missing`
 */
export function signRequest(
  { method, headers, body }: WholeRequest,
  place: { readonly origin: string; readonly target: string },
  provider: string,
  webhooks: Pick<Webhooks, "sign">,
): readonly HeaderLine[] {
  const { origin, target } = place;
  const facts = { bytes: body.length, keptBytes: body.length };
  const signed = webhooks.sign(
    provider,
    {
      ...{ id: "", tunnel: "", upstream: "", timing: {}, redacted: [] },
      ...{ kind: "http", state: "open", startedAt: 0 },
      ...{ origin, host: "", method, target },
      ...{ requestBytes: body.length, responseBytes: 0 },
      request: {
        ...{ method, target, headers, trailers: [], version: "1.1" },
        body: { ...facts, framing: "length" },
      },
    },
    body,
  );
  return setHeaders(headers, signed);
}
