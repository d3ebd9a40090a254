// What the client is and does: for the page's header and footer, for scripts, and for the command line.
import type { InspectorStatus } from "@expose/protocol";
import { PRODUCT_VERSION } from "@expose/protocol/version";
import type { EventStreams } from "../event-stream.ts";
import type { InspectedTunnel, InspectorOptions } from "../inspected.ts";
import { sendJson } from "../respond.ts";
import type { Route } from "../router.ts";

export function statusRoutes(
  options: InspectorOptions,
  events: EventStreams,
): Route[] {
  return [
    {
      method: "GET",
      pattern: "/api/v1/status",
      access: "token",
      handle({ response }) {
        sendJson(response, describeStatus(options));
      },
    },
    {
      method: "GET",
      pattern: "/api/v1/events",
      access: "token",
      handle({ response }) {
        events.add(response);
      },
    },
  ];
}

/** Body of GET /api/v1/status, and of the `status` event. */
export function describeStatus(options: InspectorOptions): InspectorStatus {
  return {
    version: PRODUCT_VERSION,
    tunnels: options.tunnels().map(describeTunnel),
    store: options.store.status(),
    secrets: options.webhooks?.configured ?? [],
  };
}

const describeTunnel = ({
  name,
  url,
  upstream,
  state,
  latencyMs,
  openConnections,
}: InspectedTunnel): InspectorStatus["tunnels"][number] => ({
  ...{ name, url, upstream, state, openConnections },
  ...(latencyMs !== undefined && { latencyMs }),
});
