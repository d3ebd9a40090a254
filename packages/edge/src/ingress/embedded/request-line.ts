// How a finished request reads in the terminal of a plain ssh client.
import type { RequestRecord } from "../../access-log/record.ts";
import { cut, escapeControls } from "../../util/escape.ts";

const MAX_METHOD_LENGTH = 20;

/**
 * Gives a request as one line: time (UTC), method, target, status, duration. What the visitor chose is escaped.
 *
 * @param formatTarget redacts, escapes and cuts the request target
 */
export function formatRequestLine(
  record: RequestRecord,
  formatTarget: (target: string) => string,
): string {
  const time = new Date(record.startedAt).toISOString().slice(11, 19);
  const method = escapeControls(cut(record.method, MAX_METHOD_LENGTH));
  const target = formatTarget(record.target);
  const status = record.status === 0 ? "gone" : record.status;
  const error = record.error ? ` ${record.error}` : "";
  return `${time} ${method} ${target} ${status}${error} ${Math.round(record.totalMs)} ms`;
}
