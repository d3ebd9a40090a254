import { duplexPair, type Duplex } from "node:stream";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { encodeMessage, PROTOCOL_VERSION } from "@expose/protocol";
import type { ExposeError } from "../errors.ts";
import {
  openControlLink,
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
  readonly #control: Duplex;
  readonly #onClosed: ((error: ExposeError | undefined) => void)[] = [];

  constructor() {
    [this.#control, this.edge] = duplexPair();
    this.edge.resume();
  }

  exec(): Promise<Duplex> {
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
  onConnection(): void {}
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

const greet = (connection: LinkConnection): Promise<ControlLink> =>
  openControlLink(
    connection,
    { request() {}, closed() {} },
    { watchRequests: false },
  );

const welcome = (v: number): string =>
  encodeMessage({
    ...{ t: "welcome", v, edge: "expose-edge/9", ingress: "embedded" },
    ...{ identity: "alice", url: "http://*.localhost" },
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
