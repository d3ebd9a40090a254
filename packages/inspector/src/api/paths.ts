// Addresses of the API, version 1. Whatever was captured is encoded before it becomes part of one.
import type { ExportFormat } from "@expose/protocol";

const BASE = "/api/v1";

export const statusPath = `${BASE}/status`;
export const eventsPath = `${BASE}/events`;
export const replaysPath = `${BASE}/replays`;
export const exchangesPath = `${BASE}/exchanges`;

/** A page of the list. */
export const listPath = (query: {
  filter: string;
  limit: number;
  before?: string | undefined;
}): string => `${exchangesPath}?${toQuery(query)}`;

export const exchangePath = (id: string): string =>
  `${exchangesPath}/${encodeURIComponent(id)}`;

export type Side = "request" | "response";

export const viewPath = (id: string, side: Side): string =>
  `${exchangePath(id)}/${side}/view`;

export const bodyPath = (id: string, side: Side, decoded: boolean): string =>
  `${exchangePath(id)}/${side}/body${decoded ? "?decoded=1" : ""}`;

export const messagesPath = (id: string, after?: number): string =>
  `${exchangePath(id)}/messages?${toQuery({ after })}`;

export const replayPath = (id: string): string => `${exchangePath(id)}/replay`;

export const comparePath = (left: string, right: string): string =>
  `${BASE}/compare?${toQuery({ left, right })}`;

export const exportPath = (id: string, as: ExportFormat): string =>
  `${exchangePath(id)}/export?${toQuery({ as })}`;

/** A HAR of all that match. */
export const exportAllPath = (filter: string): string =>
  `${BASE}/export?${toQuery({ as: "har", filter })}`;

function toQuery(fields: Record<string, string | number | undefined>): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(fields))
    if (value !== undefined && value !== "") query.set(name, String(value));
  return query.toString();
}
