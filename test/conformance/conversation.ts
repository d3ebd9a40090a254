// Plays one row of a table through the whole chain: a visitor's bare socket, the edge, SSH, the client, and an upstream that
// records every byte. Behind each row another visitor asks for something of their own: what they get is theirs, and what
// the row has sent to the upstream has arrived by then, or never will.
import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";
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
import { parseRequests, type ParsedRequest } from "./strict-parser.ts";

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
  /** What becomes of the upstream's: whether the next visitor's request comes on it. Default: not looked at. */
  readonly upstreamAfter?: "kept" | "dropped";
}

// Only what is wrong waits as long as this.
const PATIENCE_MS = 5_000;

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
  let upstream: Upstream;
  let tunnel: Tunnel;
  let count = 0;
  beforeAll(async () => {
    world = await startWorld(ingress, options);
    upstream = await startUpstream();
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
    await wire.until(() => wire.ended !== undefined);
    expect(told(wire, target)).toEqual([`200 ${target}`]);
    return upstream.askedOn(target);
  }

  function answerOf({ upstream: wanted = echoTarget }: Row): Answer {
    if (typeof wanted === "string") return { each: () => fill(wanted) };
    return typeof wanted === "function"
      ? { each: (request) => fill(wanted(request)) }
      : { once: (wire) => take(wire, filled(wanted), serveOthers) };
  }

  async function play(row: Row): Promise<void> {
    const script = upstream.begin(answerOf(row));
    const visitor = await dial(world.httpPort, row.from);
    try {
      await visit(visitor, row, script);
    } finally {
      visitor.destroy();
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

    // What does not come in time is missing in what is compared.
    const answered = (count: number) => (): boolean =>
      visitor.ended !== undefined ||
      answersOn(visitor, sent).answers.length >= count;
    const follow = `/follow-${count++}`;
    if (after === "kept") {
      await visitor.within(answered(gets.length));
      visitor.write(ask(follow));
      await visitor.within(answered(gets.length + 1));
    } else if (after !== "open")
      await visitor.within(() => visitor.ended !== undefined);
    await script();
    const last = await serveOthers();

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
        : visitor.ended === undefined
          ? "open"
          : saidClose
            ? "closed"
            : "cut",
      ...(row.upstreamAfter && {
        upstreamAfter: upstream.wasOn(last) ? "kept" : "dropped",
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

const echoTarget = ({ method, target }: ParsedRequest): string =>
  method === "HEAD"
    ? head("HTTP/1.1 200 OK", `Content-Length: ${target.length}`)
    : ok(target);

/** One end of a connection, with all that came on it, one character a byte. */
class Wire {
  readonly #socket: Socket;
  #waiters: (() => void)[] = [];
  text = "";
  ended: "end" | "reset" | undefined;

  constructor(socket: Socket, onData?: (wire: Wire) => void) {
    this.#socket = socket;
    socket.setNoDelay(true);
    socket.on("data", (chunk: Buffer) => {
      this.text += chunk.toString("latin1");
      onData?.(this);
      this.#wake();
    });
    socket.on("error", () => this.#end("reset"));
    socket.on("end", () => this.#end("end"));
    socket.on("close", () => this.#end("end"));
  }

  write(text: string): void {
    if (this.#socket.writable) this.#socket.write(text, "latin1");
  }

  end(): void {
    this.#socket.end();
  }

  destroy(): void {
    this.#socket.destroy();
  }

  /** Waits until it comes to that, and fails when it does not. */
  async until(reached: () => boolean): Promise<void> {
    if (await this.within(reached)) return;
    throw new Error(`Waited in vain. What came: ${JSON.stringify(this.text)}`);
  }

  /** @returns whether it came to that in time */
  async within(reached: () => boolean): Promise<boolean> {
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      this.#wake();
    }, PATIENCE_MS);
    try {
      while (!reached()) {
        if (late) return false;
        await new Promise<void>((resolve) => this.#waiters.push(resolve));
      }
      return true;
    } finally {
      clearTimeout(timer);
    }
  }

  #end(how: "end" | "reset"): void {
    this.ended ??= how;
    this.#wake();
  }

  #wake(): void {
    for (const wake of this.#waiters.splice(0)) wake();
  }
}

async function dial(port: number, from = "127.0.0.1"): Promise<Wire> {
  const socket = connect({ port, host: "127.0.0.1", localAddress: from });
  const wire = new Wire(socket);
  await once(socket, "connect");
  return wire;
}

async function take(
  wire: Wire,
  steps: readonly Step[],
  serveOthers: () => Promise<unknown>,
): Promise<void> {
  for (const step of steps)
    if (typeof step === "string") wire.write(step);
    else if (step === END) wire.end();
    else if (step === OTHERS) await serveOthers();
    else await wire.until(() => step.test(wire.text));
}

const answersOn = (wire: Wire, sent: string): AnswersRead =>
  parseAnswers(
    Buffer.from(wire.text, "latin1"),
    [...sent.matchAll(/^([A-Z]+) \S+ HTTP\/1\.[01]\r$/gm)].map(
      ([, method]) => method!,
    ),
    wire.ended !== undefined,
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

/** The local service. */
interface Upstream {
  readonly port: number;
  /** Forgets what came before. @returns waits for the end of `once`, if it has begun */
  begin(answer: Answer): () => Promise<void>;
  /** All that came since, other visitors' requests apart. */
  arrived(): string;
  /** The connection on which another visitor's request came. */
  askedOn(target: string): Wire;
  /** Whether the last bytes of the row came on this connection. */
  wasOn(wire: Wire): boolean;
  close(): void;
}

/** What is said to each request, or what is done, once, on the first connection that something comes on. */
type Answer =
  | { readonly each: (request: ParsedRequest) => string }
  | { readonly once: (wire: Wire) => Promise<void> };

// What others ask, which is not the row's. Whatever stands before it is.
const OTHERS_REQUEST =
  /GET (\/(?:other|follow)-\d+) HTTP\/1\.1\r\n(?:[^\r\n]+\r\n)+\r\n$/;

async function startUpstream(): Promise<Upstream> {
  const wires = new Set<Wire>();
  const others = new Map<string, Wire>();
  let order: Wire[] = [];
  let answered = new Map<Wire, number>();
  let answer: Answer = { each: echoTarget };
  let script: Promise<void> | undefined;

  function onData(wire: Wire): void {
    const other = OTHERS_REQUEST.exec(wire.text);
    if (other) {
      wire.text = wire.text.slice(0, other.index);
      others.set(other[1]!, wire);
      wire.write(ok(other[1]!));
      return;
    }
    if (!order.includes(wire)) order.push(wire);
    if ("once" in answer) {
      script ??= answer.once(wire);
      // Whoever waits for it hears of it.
      script.catch(() => {});
    } else answerRequests(wire, answer.each);
  }

  function answerRequests(
    wire: Wire,
    each: (request: ParsedRequest) => string,
  ): void {
    const { requests } = parseRequests(Buffer.from(wire.text, "latin1"));
    const before = answered.get(wire) ?? 0;
    answered.set(wire, requests.length);
    for (const request of requests.slice(before)) {
      const text = each(request);
      if (text === "") wire.destroy();
      else wire.write(text);
    }
  }

  const server = createServer((socket) => {
    const wire = new Wire(socket, onData);
    wires.add(wire);
    socket.on("close", () => wires.delete(wire));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    begin(next) {
      for (const wire of wires) wire.text = "";
      order = [];
      answered = new Map();
      answer = next;
      script = undefined;
      return async () => script;
    },
    arrived: () => order.map(({ text }) => text).join(""),
    askedOn: (target) => others.get(target)!,
    wasOn: (wire) => order.at(-1) === wire,
    close() {
      for (const wire of wires) wire.destroy();
      server.close();
    },
  };
}
