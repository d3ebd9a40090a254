// `expose send FILE`: the requests of a .http file, one after the other, with their answers.
import type { HeaderLine, UpstreamSpec } from "@expose/protocol";
import { loadClientConfig } from "../../config/load.ts";
import { ExposeError, messageOf } from "../../errors.ts";
import { valueOf } from "../../inspect/header-values.ts";
import {
  readHttpFile,
  type WholeRequest,
} from "../../inspect/http-file/read-http-file.ts";
import {
  sendRequest,
  type SentAnswer,
} from "../../inspect/http-file/send-request.ts";
import { signRequest } from "../../inspect/http-file/sign-request.ts";
import { viewBody } from "../../inspect/view/view-body.ts";
import { createWebhooks } from "../../inspect/webhooks/create-webhooks.ts";
import { openReplayUpstream } from "../../replay-upstream.ts";
import { resolveUpstreamSpec } from "../../resolve-upstream.ts";
import type { CommandContext, CommandRun, Flags } from "../command.ts";
import { escapeForTerminal, escapeLines } from "../output/escape.ts";
import { formatDuration } from "../output/format.ts";
import { encodeEvent } from "../output/json.ts";
import { configLocation } from "../settings.ts";

export const run: CommandRun = async (context, [file = ""], flags) => {
  const requests = await readHttpFile(file);
  const sign = await openSigner(context, flags);
  let unsuccessful = false;
  for (const request of requests) {
    const place = locate(request, file, flags.to);
    const upstream = openReplayUpstream(place.spec);
    try {
      const headers = sign?.(request, place) ?? request.headers;
      const answer = await sendRequest(
        { ...request, headers },
        {
          target: place.target,
          host: place.host,
          dial: (signal) => dial(upstream, signal),
          signal: context.signal,
        },
      );
      unsuccessful ||= answer.status >= 400;
      await show(request, place.origin + place.target, answer, context, flags);
    } finally {
      upstream.close();
    }
  }
  return unsuccessful ? 1 : 0;
};

type Signer = (
  request: WholeRequest,
  place: { readonly origin: string; readonly target: string },
) => readonly HeaderLine[];

async function openSigner(
  context: CommandContext,
  flags: Flags,
): Promise<Signer | undefined> {
  const provider = flags.sign;
  if (provider === undefined) return undefined;
  const config = await loadClientConfig(configLocation(flags, context));
  const webhooks = createWebhooks({
    env: context.io.env,
    settings: config.webhooks,
  });
  return (request, place) => signRequest(request, place, provider, webhooks);
}

// Where it goes, and what it asks for there, as it is written: nothing tidies up the target.
function locate(
  request: WholeRequest,
  file: string,
  to: string | undefined,
): { origin: string; host: string; target: string; spec: UpstreamSpec } {
  const [, base = "", path = request.target] =
    /^(https?:\/\/[^/?#]*)(.*)$/is.exec(request.target) ?? [];
  const isUrl = to !== undefined && /^https?:\/\//i.test(to);
  if (base === "" && to === undefined)
    throw new ExposeError(
      "http-file-invalid",
      `${file}:${request.line}: the target is a path alone: say with --to where it goes, such as --to 8080.`,
    );
  // A local service sees the public host, as it does through a tunnel.
  const host = valueOf(request.headers, "host");
  const place = isUrl
    ? to.replace(/\/$/, "")
    : base !== ""
      ? base
      : `http://${host ?? "localhost"}`;
  if (!URL.canParse(place))
    throw new ExposeError(
      "http-file-invalid",
      `${file}:${request.line}: ${place.slice(0, 100)} is no URL.`,
    );
  const { origin, host: authority } = new URL(place);
  const below = isUrl ? place.replace(/^https?:\/\/[^/?#]*/i, "") : "";
  const target = path.replace(/#.*$/s, "");
  return {
    origin,
    host: authority,
    target:
      target === "*" || target.startsWith("/")
        ? below + target
        : `${below}/${target}`,
    spec: resolveUpstreamSpec({
      upstream: isUrl || to === undefined ? origin : to,
    }),
  };
}

async function dial(
  upstream: ReturnType<typeof openReplayUpstream>,
  signal: AbortSignal,
) {
  try {
    return await upstream.dial(signal);
  } catch (error) {
    signal.throwIfAborted();
    throw new ExposeError(
      "send-failed",
      `${upstream.label} cannot be reached. ${messageOf(error)}`,
      { cause: error },
    );
  }
}

async function show(
  request: WholeRequest,
  url: string,
  answer: SentAnswer,
  { io }: CommandContext,
  flags: Flags,
): Promise<void> {
  const { status, reason, version, headers, body, durationMs } = answer;
  if (flags.json)
    return void io.stdout.write(
      encodeEvent("response", io.now(), {
        ...{ method: request.method, url, status, ms: durationMs },
        ...{ headers, body: body.toString("base64") },
        ...(answer.truncated && { truncated: true }),
      }),
    );
  const head = [
    `${request.method} ${url} (${formatDuration(durationMs)})`,
    `HTTP/${version} ${status} ${reason}`.trimEnd(),
    ...headers.map(([name, value]) => `${name}: ${value}`),
  ].map((line) => `${escapeForTerminal(line)}\n`);
  if (!io.stdout.isTTY) {
    io.stderr.write(head.join(""));
    io.stdout.write(body);
    return;
  }
  const view = await viewBody(
    valueOf(headers, "content-type"),
    valueOf(headers, "content-encoding"),
    body,
    answer.truncated,
  );
  const notes = [
    view.error &&
      `no valid ${view.kind}: ${view.error.message}, line ${view.error.line}, column ${view.error.column}`,
    view.note,
    view.truncated ? "shown in part" : undefined,
  ].filter((note) => note !== undefined);
  const text = view.text ?? (view.kind === "empty" ? "" : `(${view.kind})`);
  io.stdout.write(
    [
      ...head,
      "\n",
      ...(text === "" ? [] : [`${escapeLines(text)}\n`]),
      ...notes.map((note) => `(${escapeForTerminal(note)})\n`),
    ].join(""),
  );
}
