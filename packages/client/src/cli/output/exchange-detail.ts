// One exchange as lines for people. Everything that came from elsewhere is escaped, line by line.
import type {
  BodyView,
  Exchange,
  ExchangeMessage,
  HeaderLine,
} from "@expose/protocol";
import { escapeForTerminal, escapeLines } from "./escape.ts";
import { formatExchange } from "./exchange-line.ts";
import { formatWebhook } from "./format.ts";

/** Lines, safe to print. */
export function formatDetail(
  exchange: Exchange,
  views: { readonly request: BodyView; readonly response: BodyView },
  messages: readonly ExchangeMessage[],
): string[] {
  const { request, response } = exchange;
  return [
    formatExchange(exchange, { withTunnel: false }),
    "",
    ...facts(exchange),
    ...(request
      ? [
          "",
          escapeForTerminal(
            `${request.method} ${request.target} HTTP/${request.version}`,
          ),
          ...headerLines(request.headers),
          ...bodyLines(views.request, request.body),
          ...headerLines(request.trailers),
        ]
      : []),
    ...(response
      ? [
          "",
          escapeForTerminal(
            `HTTP/${response.version} ${response.status} ${response.reason}`,
          ),
          ...headerLines(response.headers),
          ...bodyLines(views.response, response.body),
          ...headerLines(response.trailers),
        ]
      : []),
    ...(messages.length > 0 ? ["", ...messages.map(messageLine)] : []),
  ];
}

const LABEL_COLUMNS = 10;

function facts(exchange: Exchange): string[] {
  const { tunnel, origin, upstream, visitor, webhook, note, redacted } =
    exchange;
  const rows: [string, string | undefined][] = [
    ["Tunnel", `${tunnel} (${origin}) -> ${upstream}`],
    ["Visitor", visitor],
    ["Replay of", exchange.replayOf],
    ["Webhook", webhook && formatWebhook(webhook)],
    ["Note", note],
    ["Redacted", redacted.length > 0 ? redacted.join(", ") : undefined],
  ];
  return rows.flatMap(([label, value]) =>
    value === undefined
      ? []
      : [`${label.padEnd(LABEL_COLUMNS)} ${escapeForTerminal(value)}`],
  );
}

const headerLines = (headers: readonly HeaderLine[]): string[] =>
  headers.map(([name, value]) => escapeForTerminal(`${name}: ${value}`));

function bodyLines(
  view: BodyView,
  body: { readonly bytes: number; readonly keptBytes: number },
): string[] {
  if (body.bytes === 0) return [];
  const lines = ["", ...contentLines(view, body.bytes)];
  if (view.note !== undefined) lines.push(`(${escapeForTerminal(view.note)})`);
  if (body.keptBytes < body.bytes)
    lines.push(`(${body.keptBytes} of ${body.bytes} bytes are kept)`);
  else if (view.truncated) lines.push("(shown in part)");
  return lines;
}

function contentLines(view: BodyView, bytes: number): string[] {
  switch (view.kind) {
    case "json":
    case "xml":
    case "text":
    case "hex":
      return escapeLines(
        (view.text ?? "").replace(/\r?\n$/, "").replaceAll("\r\n", "\n"),
      ).split("\n");
    case "form":
      return (view.fields ?? []).map(({ name, value }) =>
        escapeForTerminal(`${name} = ${value}`),
      );
    case "multipart":
      return (view.parts ?? []).flatMap((part) => [
        escapeForTerminal(
          `-- ${part.name ?? "(no name)"}${part.filename === undefined ? "" : ` "${part.filename}"`}, ${part.bytes} bytes${part.type === undefined ? "" : ` of ${part.type}`}`,
        ),
        ...(part.text === undefined ? [] : escapeLines(part.text).split("\n")),
      ]);
    case "image":
      return [
        escapeForTerminal(`(an image, ${bytes} bytes of ${view.type ?? "?"})`),
      ];
    case "empty":
      return [];
  }
}

function messageLine(message: ExchangeMessage): string {
  const { direction, atMs, type, bytes, encoding, data } = message;
  const text = encoding === "utf8" ? data : `(${bytes} bytes)`;
  return escapeForTerminal(
    [
      `${direction === "in" ? ">" : "<"} ${Math.round(atMs)} ms`,
      type === "event" ? (message.event ?? "event") : type,
      message.closeCode === undefined ? "" : String(message.closeCode),
      text,
    ]
      .filter((part) => part !== "")
      .join(" "),
  );
}
