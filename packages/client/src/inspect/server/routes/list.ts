// All routes of the inspector.
import { createReplayer } from "../../replay/replayer.ts";
import type { EventStreams } from "../event-stream.ts";
import type { InspectorOptions } from "../inspected.ts";
import type { Route } from "../router.ts";
import { compareRoutes } from "./compare.ts";
import { exchangeRoutes } from "./exchanges.ts";
import { exportRoutes } from "./exports.ts";
import { ngrokRoutes } from "./ngrok.ts";
import { replayRoutes } from "./replays.ts";
import { statusRoutes } from "./status.ts";

/** @returns routes that do not overlap: their order says nothing */
export function listRoutes(
  options: InspectorOptions,
  events: EventStreams,
): Route[] {
  const { store } = options;
  const replayer = createReplayer(options);
  return [
    ...statusRoutes(options, events),
    ...exchangeRoutes(store),
    ...exportRoutes(store),
    ...compareRoutes(store),
    ...replayRoutes(options, replayer),
    ...ngrokRoutes(options, replayer),
  ];
}
