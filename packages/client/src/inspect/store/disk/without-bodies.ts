// An exchange whose bodies there was no room for.
import type { Exchange } from "@expose/protocol";

/** Gives the exchange with a note in each message that nothing of its body is kept. */
export const withoutBodies = (exchange: Exchange): Exchange => ({
  ...exchange,
  ...(exchange.request && {
    request: {
      ...exchange.request,
      body: { ...exchange.request.body, keptBytes: 0 },
    },
  }),
  ...(exchange.response && {
    response: {
      ...exchange.response,
      body: { ...exchange.response.body, keptBytes: 0 },
    },
  }),
});
