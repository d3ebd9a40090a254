// A summary is an exchange without what a list does not show.
import type { Exchange, ExchangeSummary } from "@expose/protocol";

export function summarise(exchange: Exchange): ExchangeSummary {
  const {
    upstream: _upstream,
    visitor: _visitor,
    request: _request,
    response: _response,
    timing: _timing,
    redacted: _redacted,
    ...summary
  } = exchange;
  return summary;
}
