// The local service behind a table's rows: it records every byte of a row, does what the row says, and tells from both what
// other visitors ask, which it answers.
import { once } from "node:events";
import { createServer, type AddressInfo } from "node:net";
import { honestAnswer } from "./stage.ts";
import { parseRequests, type ParsedRequest } from "./strict-parser.ts";
import { Wire } from "./wire.ts";

/** See the file's head. */
export interface RowUpstream {
  readonly port: number;
  /**
   * Forgets what came before.
   *
   * @param doing default: each request is answered with its own target
   * @returns waits for the end of `once`, if it has begun
   */
  begin(doing: Doing | undefined): () => Promise<void>;
  /** All that came since, other visitors' requests apart. */
  arrived(): string;
  /** The connection on which another visitor's request came. */
  askedOn(target: string): Wire;
  /** The last connection on which something of the row came. */
  last(): Wire | undefined;
  close(): void;
}

/** What is said to each request, or what is done, once, on the first connection that something comes on. */
export type Doing =
  | { readonly each: (request: ParsedRequest) => string }
  | { readonly once: (wire: Wire) => Promise<void> };

const ECHO: Doing = {
  each: ({ method, target }) => honestAnswer(method, target),
};

// What others ask, which is not the row's. Whatever stands before it is.
const OTHERS_REQUEST =
  /GET (\/(?:other|follow)-\d+) HTTP\/1\.1\r\n(?:[^\r\n]+\r\n)+\r\n$/;

/** Starts one on a free port of loopback. */
export async function startRowUpstream(): Promise<RowUpstream> {
  const wires = new Set<Wire>();
  const others = new Map<string, Wire>();
  let order: Wire[] = [];
  let answered = new Map<Wire, number>();
  let doing: Doing = ECHO;
  let script: Promise<void> | undefined;

  function onData(wire: Wire): void {
    const other = OTHERS_REQUEST.exec(wire.text);
    if (other) {
      wire.text = wire.text.slice(0, other.index);
      others.set(other[1]!, wire);
      wire.write(honestAnswer("GET", other[1]!));
      return;
    }
    if (!order.includes(wire)) order.push(wire);
    if ("once" in doing) {
      script ??= doing.once(wire);
      // Whoever waits for it hears of it.
      script.catch(() => {});
    } else answerRequests(wire, doing.each);
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
      if (text === "") wire.socket.destroy();
      else wire.write(text);
    }
  }

  // It ends its side when the other one does, like most services.
  const server = createServer((socket) => {
    const wire = new Wire(socket);
    wires.add(wire);
    socket.on("data", () => onData(wire));
    socket.on("close", () => wires.delete(wire));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    begin(next = ECHO) {
      for (const wire of wires) wire.text = "";
      order = [];
      answered = new Map();
      doing = next;
      script = undefined;
      return async () => script;
    },
    arrived: () => order.map(({ text }) => text).join(""),
    askedOn: (target) => others.get(target)!,
    last: () => order.at(-1),
    close() {
      for (const { socket } of wires) socket.destroy();
      server.close();
    },
  };
}
