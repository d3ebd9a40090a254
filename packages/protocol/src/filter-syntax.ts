// The keys of the filter language in one table: its parser, the page, the help of `expose logs` and docs/filters.md show
// the same, and a test compares them.

/** One key: what stands before the colon. */
export interface FilterKey {
  readonly key: string;
  /** What may stand behind the colon. */
  readonly values: string;
  readonly meaning: string;
  readonly example: string;
}

/** See the file's head. */
export const filterKeys = [
  {
    key: "method",
    values: "GET, POST, …",
    meaning: "The request's method.",
    example: "method:POST,PUT",
  },
  {
    key: "status",
    values: "404, 5xx, >=400, 400..499, none",
    meaning: "The response's status; `none` while there is no response.",
    example: "status:5xx",
  },
  {
    key: "path",
    values: "/hooks, hooks, /hooks/*",
    meaning:
      "The path with its query: it begins with a value that begins with a slash, and contains any other.",
    example: "path:/hooks",
  },
  {
    key: "host",
    values: "text",
    meaning: "The Host header contains it.",
    example: "host:shop.",
  },
  {
    key: "tunnel",
    values: "NAME",
    meaning: "The tunnel's name.",
    example: "tunnel:shop",
  },
  {
    key: "visitor",
    values: "ADDRESS",
    meaning: "The visitor's address, or how it begins.",
    example: "visitor:203.0.113.",
  },
  {
    key: "header",
    values: "NAME, NAME=text",
    meaning:
      "Request or response has such a header, and its value contains the text.",
    example: "header:content-type=json",
  },
  {
    key: "body",
    values: "text",
    meaning:
      "The body of request or response contains it, after gzip, deflate and br are undone.",
    example: 'body:"out of stock"',
  },
  {
    key: "type",
    values: "http, websocket, events, raw, or a media type's part",
    meaning: "The kind of exchange, or the type of one of its bodies.",
    example: "type:json",
  },
  {
    key: "state",
    values: "open, complete, aborted, broken",
    meaning: "How far the exchange has come.",
    example: "state:aborted",
  },
  {
    key: "since",
    values: "10m, 2h, 3d, 14:30, 2026-01-31, 2026-01-31T14:30",
    meaning: "It began then or later; times are local.",
    example: "since:10m",
  },
  {
    key: "before",
    values: "as since",
    meaning: "It began earlier.",
    example: "before:1h",
  },
  {
    key: "slow",
    values: "500ms, >2s, <10ms",
    meaning: "It took that long, or longer where no sign says otherwise.",
    example: "slow:>500ms",
  },
  {
    key: "size",
    values: "1mb, >1mb, <10kb",
    meaning:
      "Both bodies together are that long, or longer where no sign says otherwise.",
    example: "size:>1mb",
  },
  {
    key: "webhook",
    values: "github, stripe, …, yes, no",
    meaning: "The provider that a webhook is from.",
    example: "webhook:stripe",
  },
  {
    key: "event",
    values: "NAME",
    meaning: "What the webhook says has happened.",
    example: "event:checkout.*",
  },
  {
    key: "verdict",
    values: "verified, failed, unchecked",
    meaning: "Whether the webhook's signature holds.",
    example: "verdict:failed",
  },
  {
    key: "replay",
    values: "yes, no, or an exchange's ID",
    meaning: "It repeats another exchange.",
    example: "replay:no",
  },
  {
    key: "id",
    values: "ID",
    meaning: "The exchange's ID, or how it begins.",
    example: "id:01JD8",
  },
] as const satisfies readonly FilterKey[];

/** What holds for all of them, a sentence each. */
export const filterRules = [
  "All terms must hold; the values of one term are separated by commas, and one of them is enough: `method:POST,PUT`.",
  "A term behind a minus must not hold: `-status:2xx`.",
  "Words without a key are looked for in URL, headers and bodies.",
  'Quotes keep blanks, commas and colons together: `"out of stock"`, `body:"a,b"`; `\\"` is a quote inside of them.',
  "`*` stands for any characters: `event:checkout.*`. Letters match in either case.",
] as const;
