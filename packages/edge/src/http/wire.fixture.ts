// A socket for tests that speak and hear raw bytes, one character a byte.
import { once } from "node:events";
import net, { type Socket } from "node:net";
import { onTestFinished } from "vitest";

/** One end of a connection, with everything that came. */
export class Wire {
  readonly socket: Socket;
  /** What came so far. */
  text = "";
  /** How it ended, once it has. */
  ended: "end" | "error" | "close" | undefined;
  #waiters: (() => void)[] = [];

  constructor(socket: Socket) {
    this.socket = socket;
    socket.setEncoding("latin1");
    socket.on("data", (piece: string) => {
      this.text += piece;
      this.#wake();
    });
    socket.on("end", () => this.#end("end"));
    socket.on("error", () => this.#end("error"));
    socket.on("close", () => this.#end("close"));
    onTestFinished(() => {
      socket.destroy();
    });
  }

  write(text: string): void {
    this.socket.write(text, "latin1");
  }

  /** Waits until what came matches, and returns it all. Fails when the other side ends before. */
  async until(pattern: string | RegExp): Promise<string> {
    const found = (): boolean =>
      typeof pattern === "string"
        ? this.text.includes(pattern)
        : pattern.test(this.text);
    while (!found()) {
      if (this.ended)
        throw new Error(
          `Ended (${this.ended}) without ${String(pattern)}: ${this.text.slice(0, 2_000)}`,
        );
      await this.#change();
    }
    return this.text;
  }

  /** Does something once what came matches, if it ever does. */
  when(pattern: string | RegExp, action: (wire: Wire) => void): void {
    this.until(pattern).then(
      () => action(this),
      () => {},
    );
  }

  /** Waits for the end and returns all that came. */
  async untilEnded(): Promise<string> {
    while (!this.ended) await this.#change();
    return this.text;
  }

  /** Waits until the socket is closed altogether. */
  async untilClosed(): Promise<void> {
    if (this.socket.closed) return;
    // Not once() of node:events, which throws where a reset is what ends it.
    await new Promise((resolve) => this.socket.once("close", resolve));
  }

  #change(): Promise<void> {
    return new Promise((resolve) => this.#waiters.push(resolve));
  }

  #end(how: "end" | "error" | "close"): void {
    this.ended ??= how;
    this.#wake();
  }

  #wake(): void {
    for (const wake of this.#waiters.splice(0)) wake();
  }
}

/** Connects to a port of this machine. The socket is destroyed with the test. */
export async function useWire(
  port: number,
  options: { localAddress?: string; allowHalfOpen?: boolean } = {},
): Promise<Wire> {
  const socket = net.connect({ port, host: "127.0.0.1", ...options });
  const wire = new Wire(socket);
  await once(socket, "connect");
  return wire;
}
