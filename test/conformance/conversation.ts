// Plays one row of a table through the whole chain: a visitor's bare socket, the edge, SSH, the client, and an upstream that
// records every byte. Behind each row another visitor asks for something of their own: what they get is theirs, and what
// the row has sent to the upstream has arrived by then, or never will.
import type { Tunnel } from "@expose/client";
import { afterAll, beforeAll, expect } from "vitest";
import {
  startWorld,
  type IngressKind,
  type World,
  type WorldOptions,
} from "../harness/worlds.ts";
import {
  parseAnswers,
  type AnswersRead,
  type ParsedAnswer,
} from "./strict-answers.ts";
import {
  startRowUpstream,
  type Doing,
  type RowUpstream,
} from "./row-upstream.ts";
import type { ParsedRequest } from "./strict-parser.ts";
import { dial, type Wire } from "./wire.ts";

/** Ends its side of the connection. */
export const END = Symbol("ends its side");
/** Another visitor asks for something meanwhile, and gets it. */
export const OTHERS = Symbol("others are served");

/** Bytes to write (one character each), or what all bytes that came so far have to match before it goes on. */
export type Step = string | RegExp | typeof END | typeof OTHERS;

/**
 * What is said, and what must come of it. In all texts `{host}` stands for the tunnel's host and port, `{port}` for the
 * edge's port.
 */
export interface Row {
  /** What the visitor does. */
  readonly sends: string | readonly Step[];
  /** The address that the visitor calls from. Default: 127.0.0.1. */
  readonly from?: string;
  /**
   * What the upstream does: a text answers each request, a function says which text does, steps are taken on the first
   * connection that something comes on. Default: each request is answered with its own target.
   */
  readonly upstream?:
    string | readonly Step[] | ((request: ParsedRequest) => string);
  /** All bytes that reach the upstream. */
  readonly arrives: string;
  /**
   * All that the visitor is answered: whole answers byte by byte (`HTTP/1.1 ...`), or status, framing unless it is a
   * length, and the body or the edge's error code. Bytes that are no answer stand behind the last one.
   */
  readonly gets: readonly string[];
  /**
   * What becomes of the visitor's connection: it serves another request (`kept`), ends as the last answer said
   * (`closed`), or ends and nobody has said so (`cut`); of a WebSocket's, that it stays `open`. Default: `kept`.
   */
  readonly after?: "kept" | "closed" | "cut" | "open";
  /**
   * What becomes of the upstream's: the next visitor's request comes on it, or it is ended (a WebSocket's at some time).
   * Default: not looked at.
   */
  readonly upstreamAfter?: "kept" | "dropped";
}

/** What the edge tells the upstream of a visitor at 127.0.0.1 who asked for `{host}`. */
export const OURS =
  "X-Forwarded-For: 127.0.0.1\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Host: {host}\r\nX-Forwarded-Port: {port}";

/** A head: its first line, its fields. */
export const head = (...lines: readonly string[]): string =>
  `${lines.join("\r\n")}\r\n\r\n`;

/** A GET for the tunnel, and what is left of it at the upstream. */
export const get = (path: string, ...fields: readonly string[]): string =>
  head(`GET ${path} HTTP/1.1`, "Host: {host}", ...fields);
export const gotten = (path: string, ...fields: readonly string[]): string =>
  get(path, ...fields, OURS);

/** An answer with a length. */
export const ok = (body: string, ...fields: readonly string[]): string =>
  head("HTTP/1.1 200 OK", `Content-Length: ${body.length}`, ...fields) + body;

/** Text as its bytes in UTF-8, one character each. */
export const utf8 = (text: string): string =>
  Buffer.from(text).toString("latin1");

/**
 * Starts a world for the tests of a block, with one tunnel.
 *
 * @returns plays a row and compares
 */
export function useConversations(
  ingress: IngressKind,
  options: WorldOptions = {},
): { play(row: Row): Promise<void>; world(): World } {
  let world: World;
  let upstream: RowUpstream;
  let tunnel: Tunnel;
  let count = 0;
  beforeAll(async () => {
    // Each process has its own connections to the upstream, and which of them serves the next visitor is a part of the rows.
    world = await startWorld(ingress, { workers: 1, ...options });
    upstream = await startRowUpstream();
    tunnel = await world.expose({
      port: upstream.port,
      name: "target",
      watchRequests: false,
    });
  });
  afterAll(async () => {
    await tunnel.close();
    upstream.close();
    await world.stop();
  });

  const fill = (text: string): string =>
    text
      .replaceAll("{host}", `target.localhost:${world.httpPort}`)
      .replaceAll("{port}", String(world.httpPort));
  const filled = (steps: string | readonly Step[]): readonly Step[] =>
    (typeof steps === "string" ? [steps] : steps).map((step) =>
      typeof step === "string" ? fill(step) : step,
    );
  const ask = (path: string): string => fill(get(path, "Connection: close"));

  /** @returns the connection on which the upstream was asked */
  async function serveOthers(): Promise<Wire> {
    const target = `/other-${count++}`;
    const wire = await dial(world.httpPort);
    wire.write(ask(target));
    await wire.untilEnded();
    wire.socket.destroy();
    expect(told(wire, target)).toEqual([`200 ${target}`]);
    return upstream.askedOn(target);
  }

  function doingOf({ upstream: wanted }: Row): Doing | undefined {
    if (wanted === undefined) return undefined;
    if (typeof wanted === "string") return { each: () => fill(wanted) };
    return typeof wanted === "function"
      ? { each: (request) => fill(wanted(request)) }
      : { once: (wire) => take(wire, filled(wanted), serveOthers) };
  }

  async function play(row: Row): Promise<void> {
    const script = upstream.begin(doingOf(row));
    const visitor = await dial(world.httpPort, row.from);
    try {
      await visit(visitor, row, script);
    } finally {
      visitor.socket.destroy();
    }
  }

  async function visit(
    visitor: Wire,
    row: Row,
    script: () => Promise<void>,
  ): Promise<void> {
    const { gets, after = "kept" } = row;
    const sends = filled(row.sends);
    const sent = sends.filter((step) => typeof step === "string").join("");
    await take(visitor, sends, serveOthers);

    const answered = (count: number) => (): boolean =>
      visitor.over || answersOn(visitor, sent).answers.length >= count;
    const follow = `/follow-${count++}`;
    if (after === "kept") {
      await comesTo(visitor, answered(gets.length));
      visitor.write(ask(follow));
      await comesTo(visitor, answered(gets.length + 1));
    } else if (after !== "open") await comesTo(visitor, () => visitor.over);
    await script();
    const last = await serveOthers();
    // A WebSocket ends when both sides have.
    if (after === "cut") visitor.leave("closes");
    if (row.upstreamAfter === "dropped" && after !== "open")
      await upstream.last()?.untilEnded();

    const answers = told(visitor, sent, gets);
    const followed = answers.at(-1) === `200 ${follow}`;
    if (followed) answers.pop();
    const saidClose = answersOn(visitor, sent)
      .answers.slice(0, answers.length)
      .some(({ raw }) => /^connection: close\r$/im.test(raw));
    expect({
      arrives: upstream.arrived(),
      gets: answers,
      after: followed
        ? saidClose
          ? "kept, though it was said to end"
          : "kept"
        : !visitor.over
          ? "open"
          : saidClose
            ? "closed"
            : "cut",
      ...(row.upstreamAfter && {
        upstreamAfter: upstream.last() === last ? "kept" : "dropped",
      }),
    }).toEqual({
      arrives: fill(row.arrives),
      gets: gets.map(fill),
      after,
      ...(row.upstreamAfter && { upstreamAfter: row.upstreamAfter }),
    });
  }

  return { play, world: () => world };
}

async function take(
  wire: Wire,
  steps: readonly Step[],
  serveOthers: () => Promise<unknown>,
): Promise<void> {
  for (const step of steps)
    if (typeof step === "string") wire.write(step);
    else if (step === END) wire.leave("half-closes");
    else if (step === OTHERS) await serveOthers();
    else await wire.until(step);
}

// What does not come in time is missing in what is compared.
async function comesTo(wire: Wire, reached: () => boolean): Promise<void> {
  await wire.when(reached, "it").catch(() => {});
}

const answersOn = (wire: Wire, sent: string): AnswersRead =>
  parseAnswers(
    Buffer.from(wire.text, "latin1"),
    [...sent.matchAll(/^([A-Z]+) \S+ HTTP\/1\.[01]\r$/gm)].map(
      ([, method]) => method!,
    ),
    // RFC 9112 section 8: a reset ends no body.
    wire.ended === "FIN",
  );

/** @param expected shows which of them are wanted byte by byte */
function told(
  wire: Wire,
  sent: string,
  expected: readonly string[] = [],
): string[] {
  const { answers, rest } = answersOn(wire, sent);
  const texts = answers.map((answer, i) =>
    expected[i]?.startsWith("HTTP/1.1 ") ? answer.raw : summary(answer),
  );
  return rest.length > 0 ? [...texts, rest.toString("latin1")] : texts;
}

function summary({ status, headers, framing, body }: ParsedAnswer): string {
  const error = headers.find(([name]) => name.toLowerCase() === "expose-error");
  const words = [String(status)];
  if (status >= 200 && framing !== "length") words.push(framing);
  if (error) words.push(error[1]);
  else if (body.length > 0) words.push(body.toString("latin1"));
  return words.join(" ");
}
