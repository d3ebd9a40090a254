// The control protocol: newline-delimited JSON on one SSH session channel, at most MAX_MESSAGE_BYTES a line.
// docs/protocol.md tells the story; this file is the reference. Unknown fields are ignored, unknown types refused, and
// characters that no line of text needs arrive as U+FFFD.
import * as v from "valibot";
import { controlErrorCodes, type ControlErrorCode } from "./error-codes.ts";
import { MAX_MESSAGE_BYTES, MAX_NAME_LENGTH, PROOF_BYTES } from "./limits.ts";

const tunnelId = v.pipe(
  v.number(),
  v.integer(),
  v.minValue(0),
  v.maxValue(0xffff),
);
const port = v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(65_535));
// What the other end says ends up in terminals, logs and pages: escape sequences, line breaks and marks that turn the
// direction of writing are taken out at the door, so that no reader can forget to.
const UNPRINTABLE = /[\p{Cc}\p{Zl}\p{Zp}\u202a-\u202e\u2066-\u2069]/gu;
const printable = (value: string) => value.replace(UNPRINTABLE, "\ufffd");
/** Text that means something to a program: too much of it makes the message malformed. */
const text = (max: number) =>
  v.pipe(v.string(), v.maxLength(max), v.transform(printable));
/** Text for people alone: too much of it is cut, because a long path is no reason to end a session. */
const shown = (max: number) =>
  v.pipe(
    v.string(),
    v.transform((value) => printable(value).slice(0, max)),
  );
// JSON has no infinity, and yet `1e999` is read as one, which could not be sent back in a `pong`.
const number = v.pipe(v.number(), v.finite());
const code = v.picklist(Object.keys(controlErrorCodes) as ControlErrorCode[]);

const clientMessage = v.variant("t", [
  /** First message: who is calling. `host` is the machine's name, for the other end of a takeover. */
  v.object({
    t: v.literal("hello"),
    v: number,
    client: shown(100),
    host: v.optional(shown(253)),
  }),
  /** Asks for a tunnel that leads to the forward on `port` of this same session. Answered by `opened` or `refused`. */
  v.object({
    t: v.literal("open"),
    id: tunnelId,
    kind: v.literal("http"),
    port,
    /** Absent: the edge chooses a random one. */
    name: v.optional(text(MAX_NAME_LENGTH + 1)),
    /** What `opened` gave earlier: lets a random name come back after the edge has restarted. */
    resume: v.optional(text(100)),
    /** `preserve` (default), `rewrite` (to the upstream, with Origin and Referer) or a literal host. */
    hostHeader: v.optional(text(260)),
    /** The local address as the person wrote it, for error pages: `localhost:8080`. */
    upstream: shown(260),
  }),
  /** Closes one tunnel; the session goes on. Not answered. */
  v.object({ t: v.literal("close"), id: tunnelId }),
  /** Whether the local service answers, as far as the client knows; it decides what an error page says. */
  v.object({
    t: v.literal("upstream"),
    id: tunnelId,
    state: v.picklist(["up", "down"]),
    /** One sentence for the error page, made by the client and never by the upstream. */
    reason: v.optional(shown(300)),
  }),
  /** Switches the stream of `request` messages on or off for the whole session. Off at first. */
  v.object({ t: v.literal("watch"), on: v.boolean() }),
  /** Answered by `pong` with the same `n`. */
  v.object({ t: v.literal("ping"), n: number }),
]);

const edgeMessage = v.variant("t", [
  /** Answer to `hello`. */
  v.object({
    t: v.literal("welcome"),
    v: number,
    edge: shown(100),
    ingress: v.picklist(["openssh", "embedded"]),
    identity: text(100),
    /** URL of a tunnel with `*` in place of its name: `https://*.tunnel.example.com`. */
    url: text(300),
    /**
     * `openssh` only. Each forwarded connection opens with PROOF_BYTES from the client (`client`), which the edge
     * checks before it sends a byte, followed in the other direction by PROOF_BYTES of the edge (`edge`), which the
     * client checks before it dials the upstream.
     */
    proof: v.optional(
      v.object({
        client: v.pipe(v.string(), v.length(PROOF_BYTES)),
        edge: v.pipe(v.string(), v.length(PROOF_BYTES)),
      }),
    ),
  }),
  v.object({
    t: v.literal("opened"),
    id: tunnelId,
    name: text(MAX_NAME_LENGTH),
    url: text(300),
    resume: text(100),
  }),
  /** Without `id`: the whole session is refused, and the edge closes it. */
  v.object({
    t: v.literal("refused"),
    id: v.optional(tunnelId),
    code,
    message: shown(500),
  }),
  /** The edge ends a tunnel, or (without `id`) the session. `retry`: whether coming back makes sense. */
  v.object({
    t: v.literal("closed"),
    id: v.optional(tunnelId),
    code,
    message: shown(500),
    retry: v.boolean(),
  }),
  /** One finished request, for the live log. `dropped` counts those left out since the last one because of rate. */
  v.object({
    t: v.literal("request"),
    id: tunnelId,
    method: shown(40),
    /** Path and query, redacted, escaped and cut by the edge. */
    path: shown(1_000),
    /** 0 when the visitor went away before an answer began. */
    status: number,
    /** From the request's head to the end of the response, milliseconds. */
    ms: number,
    visitor: shown(60),
    bytesIn: number,
    bytesOut: number,
    /** Set when the edge itself made the answer. */
    error: v.optional(shown(40)),
    dropped: v.optional(number),
  }),
  v.object({ t: v.literal("pong"), n: number }),
]);

/** What the client says. */
export type ClientMessage = v.InferOutput<typeof clientMessage>;
/** What the edge says. */
export type EdgeMessage = v.InferOutput<typeof edgeMessage>;

/** A line that is no message of this protocol. Its text is safe to log: it never quotes the line. */
export class MessageError extends Error {
  override name = "MessageError";
}

/** Reads one line from a client. @throws MessageError */
export const parseClientMessage = (line: string): ClientMessage =>
  parse(clientMessage, line);

/** Reads one line from an edge. @throws MessageError */
export const parseEdgeMessage = (line: string): EdgeMessage =>
  parse(edgeMessage, line);

/** Gives a message as the line that goes over the wire, newline included. @throws MessageError when it is too long */
export function encodeMessage(message: ClientMessage | EdgeMessage): string {
  const line = `${JSON.stringify(message)}\n`;
  if (Buffer.byteLength(line) > MAX_MESSAGE_BYTES)
    throw new MessageError(
      `A ${message.t} message is longer than ${MAX_MESSAGE_BYTES} bytes.`,
    );
  return line;
}

function parse<S extends typeof clientMessage | typeof edgeMessage>(
  schema: S,
  line: string,
): v.InferOutput<S> {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    throw new MessageError("A control message is not JSON.");
  }
  const result = v.safeParse(schema, value, { abortEarly: true });
  if (result.success) return result.output;
  const path = v.getDotPath(result.issues[0]);
  throw new MessageError(
    `A control message is malformed${path ? ` at "${path}"` : ""}.`,
  );
}
