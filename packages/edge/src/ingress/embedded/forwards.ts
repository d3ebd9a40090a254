// The forwards of one SSH connection: what the client asked for, under which address and port, and what became of it.
import { ControlRefusal, type PlainTunnel } from "../handlers.ts";
import type { Forward, ForwardedConnection, Visitor } from "../forward.ts";
import { Closable } from "../../util/closable.ts";
import { readForwardRequest } from "./forward-request.ts";

/** The forwards of one connection. */
export interface Forwards {
  count(): number;
  /** Tunnels of a plain client, in the order in which they were opened. */
  tunnels(): readonly PlainTunnel[];
  /**
   * Answers a tcpip-forward (RFC 4254 section 7.1).
   * @returns the port that it got (the same as asked for, unless that was 0); undefined when it is refused. A promise
   *   of that, which never rejects, where another process decides about names
   */
  open(
    bindAddress: string,
    bindPort: number,
  ): number | undefined | Promise<number | undefined>;
  /** Answers a cancel-tcpip-forward. @returns whether there was such a forward */
  cancel(bindAddress: string, bindPort: number): boolean;
  /** The forward that the expose client holds on a port. */
  control(port: number): Forward | undefined;
  /** Closes all: their names are free at once. */
  release(): void;
  /** Closes all because the connection is gone or taken over: what becomes of the names is for others to decide. */
  lose(): void;
}

/** What forwards need of their connection. */
export interface ForwardsOptions {
  readonly maxForwards: number;
  /** Opens a channel to the client; the address and the port are those that it asked with and got. */
  readonly connect: (
    forward: Forward,
    bindAddress: string,
    visitor: Visitor,
  ) => Promise<ForwardedConnection>;
  /** @throws ControlRefusal, or rejects with it */
  readonly openPlain: (
    forward: Forward,
    name: string | undefined,
  ) => PlainTunnel | Promise<PlainTunnel>;
  /** A plain tunnel is open. */
  readonly opened: (tunnel: PlainTunnel) => void;
  /** A forward was refused; `reason` is for the person who asked. */
  readonly refused: (reason: string) => void;
  /** A bug in what was called. */
  readonly failed: (error: unknown) => void;
}

interface Held {
  readonly forward: EmbeddedForward;
  tunnel: PlainTunnel | undefined;
  readonly kind: "control" | "plain";
}

// The ports of embedded forwards are numbers and no more; below this a system would ask for privileges.
const FIRST_PORT = 1_024;
const LAST_PORT = 65_535;

/** Builds the forwards of a connection. */
export function createForwards(options: ForwardsOptions): Forwards {
  const held = new Map<string, Held>();
  let lastPort = FIRST_PORT - 1;

  function nextPort(): number {
    lastPort = lastPort >= LAST_PORT ? FIRST_PORT : lastPort + 1;
    return lastPort;
  }

  function isTaken(port: number): boolean {
    for (const { forward } of held.values())
      if (forward.port === port) return true;
    return false;
  }

  function refuse(reason: string): undefined {
    options.refused(reason);
  }

  function opened(entry: Held, tunnel: PlainTunnel): number | undefined {
    // It may have ended the connection on its way.
    if (entry.forward.closed) {
      tunnel.close();
      return undefined;
    }
    entry.tunnel = tunnel;
    options.opened(tunnel);
    return entry.forward.port;
  }

  function notOpened(key: string, entry: Held, error: unknown): undefined {
    if (held.get(key) === entry) held.delete(key);
    entry.forward.markClosed();
    if (error instanceof ControlRefusal) return refuse(error.message);
    options.failed(error);
    return refuse("The edge failed to open the tunnel.");
  }

  function closeAll(released: boolean): void {
    const all = [...held.values()];
    held.clear();
    for (const { forward, tunnel } of all) {
      if (released) tunnel?.close();
      forward.markClosed();
    }
  }

  return {
    count: () => held.size,
    tunnels: () => [...held.values()].flatMap(({ tunnel }) => tunnel ?? []),
    open(bindAddress, bindPort) {
      const request = readForwardRequest(bindAddress, bindPort);
      if (request.kind === "refused") return refuse(request.reason);
      if (held.size >= options.maxForwards)
        return refuse(
          `One connection holds at most ${options.maxForwards} forwards.`,
        );
      let port = bindPort;
      if (port === 0) {
        // Never more than maxForwards of them are taken.
        do port = nextPort();
        while (isTaken(port));
      }
      const key = keyOf(bindAddress, port);
      // The client tells its forwards apart by these two alone.
      if (held.has(key))
        return refuse(
          `Port ${port} is forwarded already on this connection; use -R 0:… or -R NAME:80:… for another tunnel.`,
        );
      const forward = new EmbeddedForward(port, (visitor) =>
        options.connect(forward, bindAddress, visitor),
      );
      const entry: Held = { forward, tunnel: undefined, kind: request.kind };
      held.set(key, entry);
      if (request.kind === "control") return port;
      try {
        const tunnel = options.openPlain(forward, request.name);
        return tunnel instanceof Promise
          ? tunnel.then(
              (result) => opened(entry, result),
              (error: unknown) => notOpened(key, entry, error),
            )
          : opened(entry, tunnel);
      } catch (error) {
        return notOpened(key, entry, error);
      }
    },
    cancel(bindAddress, bindPort) {
      const key = keyOf(bindAddress, bindPort);
      const entry = held.get(key);
      if (entry === undefined) return false;
      held.delete(key);
      entry.tunnel?.close();
      entry.forward.markClosed();
      return true;
    },
    control(port) {
      const entry = held.get(keyOf("127.0.0.1", port));
      return entry?.kind === "control" ? entry.forward : undefined;
    },
    release: () => closeAll(true),
    lose: () => closeAll(false),
  };
}

const keyOf = (bindAddress: string, port: number): string =>
  `${port} ${bindAddress}`;

class EmbeddedForward extends Closable implements Forward {
  readonly port: number;
  readonly #open: (visitor: Visitor) => Promise<ForwardedConnection>;

  constructor(
    port: number,
    open: (visitor: Visitor) => Promise<ForwardedConnection>,
  ) {
    super();
    this.port = port;
    this.#open = open;
  }

  connect(visitor: Visitor): Promise<ForwardedConnection> {
    return this.#open(visitor);
  }
}
