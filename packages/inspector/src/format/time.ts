// Times of day in the reader's own time zone.

const two = (value: number): string => String(value).padStart(2, "0");

/** `14:03:07.251`, and the date in front when it was not today. */
export function formatTime(at: number, now = Date.now()): string {
  const date = new Date(at);
  const clock = `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
  const sameDay = date.toDateString() === new Date(now).toDateString();
  return sameDay
    ? `${clock}.${String(date.getMilliseconds()).padStart(3, "0")}`
    : `${two(date.getMonth() + 1)}-${two(date.getDate())} ${clock}`;
}

/** ISO 8601 in UTC, for titles and `<time>`. */
export const formatIso = (at: number): string => new Date(at).toISOString();
