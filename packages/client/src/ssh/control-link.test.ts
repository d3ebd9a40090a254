import { duplexPair, type Duplex } from "node:stream";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { encodeMessage, PROOF_BYTES, PROTOCOL_VERSION } from "@expose/protocol";
import type { ExposeError } from "../errors.ts";
import {
  startControlLink,
  type ControlLink,
  type LinkConnection,
} from "./control-link.ts";

beforeEach(
  () => void vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] }),
);
afterEach(() => void vi.useRealTimers());

/** A connection to an edge that is played by the test: its end of the control channel is `edge`. */
class FakeConnection implements LinkConnection {
  readonly link = { isFull: () => false, onceDrained() {} };
  readonly edge: Duplex;
  endedBy: ExposeError | undefined;
  answersExec = true;
  answersForward = true;
  /** Gets what arrives on the forward. */
  onArrival: ((channel: Duplex) => void) | undefined;
  readonly #control: Duplex;
  readonly #onClosed: ((error: ExposeError | undefined) => void)[] = [];

  constructor() {
    [this.#control, this.edge] = duplexPair();
    this.edge.resume();
  }

  execAhead(): Promise<Duplex> {
    return this.answersExec
      ? Promise.resolve(this.#control)
      : this.#untilClosed();
  }
  forwardIn(): Promise<number> {
    return this.answersForward ? Promise.resolve(4_000) : this.#untilClosed();
  }
  unforwardIn(): Promise<void> {
    return Promise.resolve();
  }
  onConnection(
    _port: number,
    handler: ((channel: Duplex) => void) | undefined,
  ): void {
    this.onArrival = handler;
  }
  onceClosed(callback: (error: ExposeError | undefined) => void): void {
    this.#onClosed.push(callback);
  }
  close(): Promise<void> {
    return Promise.resolve();
  }
  destroy(error: ExposeError): void {
    if (this.endedBy) return;
    this.endedBy = error;
    for (const callback of this.#onClosed) callback(error);
  }

  #untilClosed(): Promise<never> {
    return new Promise((_, reject) =>
      this.onceClosed((error) => reject(error as Error)),
    );
  }
}

const start = (connection: LinkConnection): ControlLink =>
  startControlLink(
    connection,
    { request() {}, closed() {} },
    { watchRequests: false },
  );

async function greet(connection: LinkConnection): Promise<ControlLink> {
  const link = start(connection);
  await link.greeted;
  return link;
}

const welcome = (v: number, proof?: { client: string; edge: string }): string =>
  encodeMessage({
    ...{ t: "welcome", v, edge: "expose-edge/9", ingress: "embedded" },
    ...{ identity: "alice", url: "http://*.localhost" },
    ...(proof && { proof }),
  });

async function greeted(connection: FakeConnection): Promise<ControlLink> {
  connection.edge.write(welcome(PROTOCOL_VERSION));
  return greet(connection);
}

const tunnel = (name: string) => ({
  ...{ id: 1, name, resume: undefined, hostHeader: undefined },
  ...{ upstream: "localhost:1", serve() {} },
});

describe("a control link", () => {
  it("refuses an edge that answers in another version of the protocol", async () => {
    const connection = new FakeConnection();
    connection.edge.write(welcome(PROTOCOL_VERSION + 1));
    await expect(greet(connection)).rejects.toMatchObject({
      code: "version-unsupported",
      message: expect.stringContaining("expose-edge/9"),
    });
  });

  it("gives a server up that does not answer the control command", async () => {
    const connection = new FakeConnection();
    connection.answersExec = false;
    const link = expect(greet(connection)).rejects.toMatchObject({
      code: "server-not-edge",
    });
    await vi.advanceTimersByTimeAsync(10_000);
    await link;
  });

  it("ends a connection whose server does not answer a request to listen", async () => {
    const connection = new FakeConnection();
    const link = await greeted(connection);
    connection.answersForward = false;
    const opened = expect(link.open(tunnel("a"))).rejects.toMatchObject({
      code: "connection-lost",
    });
    await vi.advanceTimersByTimeAsync(10_000);
    await opened;
    expect(connection.endedBy).toMatchObject({ code: "connection-lost" });
  });

  it("asks for a tunnel before the edge has answered the greeting", async () => {
    const connection = new FakeConnection();
    const said = new Promise<string>((resolve) => {
      let text = "";
      connection.edge.on("data", (chunk: Buffer) => {
        text += chunk.toString();
        if (text.includes('"open"')) resolve(text);
      });
    });
    const link = start(connection);
    const opened = link.open(tunnel("a"));
    expect(await said).toMatch(/^{"t":"hello".*\n{"t":"open".*\n$/);
    connection.edge.write(
      welcome(PROTOCOL_VERSION) +
        encodeMessage({
          ...{ t: "opened", id: 1, name: "a" },
          ...{ url: "http://a.localhost", resume: "" },
        }),
    );
    expect(await opened).toMatchObject({ name: "a", port: 4_000 });
  });

  it("serves nobody who comes before it is known whether they have to prove themselves", async () => {
    const connection = new FakeConnection();
    const link = start(connection);
    const served: Duplex[] = [];
    const opened = link.open({
      ...tunnel("a"),
      serve: (channel) => void served.push(channel),
    });
    opened.catch(() => {});
    while (!connection.onArrival)
      await new Promise((resolve) => setImmediate(resolve));
    const [stranger, strangersEnd] = duplexPair();
    const closed = new Promise((resolve) => stranger.once("close", resolve));
    connection.onArrival(stranger);
    strangersEnd.write("x".repeat(PROOF_BYTES));
    const said = strangersEnd.setEncoding("latin1")[Symbol.asyncIterator]();
    connection.edge.write(
      welcome(PROTOCOL_VERSION, {
        client: "c".repeat(PROOF_BYTES),
        edge: "e".repeat(PROOF_BYTES),
      }),
    );
    expect(await said.next()).toMatchObject({ value: "c".repeat(PROOF_BYTES) });
    await closed;
    expect(served).toEqual([]);
  });

  it("leaves nobody waiting when a request is too long to be sent", async () => {
    const unhandled: unknown[] = [];
    const note = (error: unknown): void => void unhandled.push(error);
    const connection = new FakeConnection();
    const link = await greeted(connection);
    process.on("unhandledRejection", note);
    try {
      await expect(link.open(tunnel("a".repeat(100_000)))).rejects.toThrow(
        "longer than",
      );
      await vi.advanceTimersByTimeAsync(10_000);
      await new Promise((resolve) => setImmediate(resolve));
    } finally {
      process.off("unhandledRejection", note);
    }
    expect(unhandled).toEqual([]);
  });

  it("tells why, when the edge refuses a session that it had greeted", async () => {
    const connection = new FakeConnection();
    const link = await greeted(connection);
    const ping = expect(link.ping()).rejects.toMatchObject({ code: "revoked" });
    connection.edge.write(
      encodeMessage({ t: "refused", code: "revoked", message: "No more." }),
    );
    await ping;
    expect(connection.endedBy).toMatchObject({ code: "revoked" });
  });
});
