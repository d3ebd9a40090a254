// The embedded SSH server: sessions without an sshd. It takes part in the edge's own process, so whatever a stranger
// or a client sends must neither end it nor make it grow.
import { once } from "node:events";
import { createServer, type Socket } from "node:net";
import {
  batchWrites,
  createWindowBudget,
  PRODUCT_VERSION,
} from "@expose/protocol";
import ssh2 from "ssh2";
import { EdgeError } from "../../errors.ts";
import type { Identity } from "../../registry/identity.ts";
import type { Ingress } from "../ingress.ts";
import { createAdmission } from "./admission.ts";
import { algorithms } from "./algorithms.ts";
import { EmbeddedConnection, type ConnectionHost } from "./connection.ts";
import { checkHostKeys } from "./host-key.ts";
import {
  defaultLimits,
  type EmbeddedIngressOptions,
  type EmbeddedLimits,
} from "./options.ts";
import {
  forgetHandshake,
  injectSocket,
  socketOf,
  tunePackets,
} from "./ssh2-door.ts";
import { upkeepIntervalMs } from "./upkeep.ts";

/** The embedded SSH server. */
export interface EmbeddedIngress extends Ingress {
  readonly kind: "embedded";
  /** Where it listens. @throws TypeError before start() and after stopAccepting() */
  address(): { readonly host: string; readonly port: number };
  /** Looks every session's key up again and ends those whose key is gone: for when the users file has changed. */
  recheck(): void;
  /** Ends the sessions of those identities, and says that their key was removed. @returns how many it ended */
  endIdentity(isMeant: (identity: Identity) => boolean): number;
  /** Figures for the metrics. */
  stats(): EmbeddedStats;
}

/** What is open now. */
export interface EmbeddedStats {
  /** Connections that have not logged in. */
  readonly strangers: number;
  /** Connections that have. */
  readonly connections: number;
  /** SSH channels, sessions included. */
  readonly channels: number;
}

/**
 * Builds the embedded SSH server. It opens nothing until start().
 *
 * @throws EdgeError `host-key-invalid`
 */
export function createEmbeddedIngress(
  options: EmbeddedIngressOptions,
): EmbeddedIngress {
  const limits: EmbeddedLimits = { ...defaultLimits, ...options.limits };
  const { log } = options;
  checkHostKeys(options.hostKeys);

  const admission = createAdmission(
    limits.maxUnauthenticated,
    limits.maxUnauthenticatedPerAddress,
  );
  /** Every TCP connection, and what to do once it has logged in. */
  const sockets = new Map<Socket, () => void>();
  /** Those whose peer has said which software it is. */
  const greeted = new Map<Socket, EmbeddedConnection>();
  /** Those that have logged in and have not ended. */
  const connections = new Set<EmbeddedConnection>();
  let timer: NodeJS.Timeout | undefined;
  let closing: Promise<void> | undefined;

  const connectionsOf = (id: string): number => {
    let count = 0;
    for (const { identity } of connections) if (identity?.id === id) count++;
    return count;
  };

  const host: ConnectionHost = {
    ...options,
    limits,
    windows: createWindowBudget(limits.maxWindowBytesInAll),
    loggedIn(connection) {
      const id = connection.identity?.id ?? "";
      connections.add(connection);
      connection.onceEnded(() => {
        connections.delete(connection);
        options.logins?.changed(id, connectionsOf(id));
      });
      const own = connectionsOf(id);
      options.logins?.changed(id, own);
      const elsewhere = options.logins?.elsewhere(id) ?? 0;
      if (own + elsewhere <= limits.maxConnectionsPerIdentity) return undefined;
      log.warn("too many connections of one identity", { identity: id });
      return `${id} has ${limits.maxConnectionsPerIdentity} connections open, and may have no more.`;
    },
  };

  // It never listens: sockets come from a server of our own, because it announces a connection only once the peer has
  // said something, and counts, delays and ends none that stays silent.
  const ssh = new ssh2.Server({
    hostKeys: [...options.hostKeys],
    algorithms,
    ident: `expose-edge_${PRODUCT_VERSION}`,
  });
  // upkeep.ts does that by what is received and sent. ssh2's own cannot be turned off by its options, and restarts a
  // timer for every packet.
  ssh2.Server.KEEPALIVE_CLIENT_INTERVAL = -1;
  ssh.on("connection", (connection) => {
    const socket = socketOf(connection);
    greeted.set(socket, new EmbeddedConnection(connection, host));
    connection.on("ready", () => {
      sockets.get(socket)?.();
      tunePackets(connection);
    });
    connection.on("handshake", () => forgetHandshake(connection));
    connection.on("close", () => greeted.delete(socket));
  });

  const server = createServer({ noDelay: true }, (socket) => {
    // ssh2 reports what happens before it knows the peer's software to nobody.
    socket.on("error", () => {});
    const leave = admission.admit(socket.remoteAddress, () => {
      log.debug("stranger evicted", { from: socket.remoteAddress });
      socket.destroy();
    });
    if (leave === undefined || closing !== undefined) {
      leave?.();
      log.debug("stranger refused", { from: socket.remoteAddress });
      socket.destroy();
      return;
    }
    let grace: NodeJS.Timeout | undefined = setTimeout(() => {
      log.debug("login took too long", { from: socket.remoteAddress });
      socket.destroy();
    }, limits.loginGraceMs);
    const loggedIn = (): void => {
      clearTimeout(grace);
      grace = undefined;
      leave();
    };
    sockets.set(socket, loggedIn);
    socket.once("close", () => {
      loggedIn();
      sockets.delete(socket);
    });
    batchWrites(socket);
    injectSocket(ssh, socket);
  });

  async function start(): Promise<void> {
    server.listen({ host: options.host, port: options.port });
    try {
      await once(server, "listening");
    } catch (error) {
      throw new EdgeError(
        "listen-failed",
        `The embedded SSH server cannot listen on ${options.host} port ${options.port}; choose another port or stop what uses it.`,
        { cause: error },
      );
    }
    // For example EMFILE while accepting: those who are in go on.
    server.on("error", (error) =>
      log.error("the embedded SSH server failed to accept", { error }),
    );
    timer = setInterval(() => {
      const now = performance.now();
      for (const connection of connections) connection.check(now);
    }, upkeepIntervalMs(limits));
    timer.unref();
  }

  function stopAccepting(): void {
    if (server.listening) server.close();
  }

  async function closeAll(): Promise<void> {
    clearInterval(timer);
    stopAccepting();
    const all = [...sockets.keys()];
    const closed = all.map(
      (socket) => new Promise<void>((done) => socket.once("close", done)),
    );
    for (const socket of all) {
      const connection = greeted.get(socket);
      if (connection?.identity)
        connection.end({ message: "The edge is stopping." });
      else socket.destroy();
    }
    await Promise.all(closed);
  }

  return {
    kind: "embedded",
    start,
    stopAccepting,
    close: () => (closing ??= closeAll()),
    address() {
      const address = server.address();
      if (address === null || typeof address === "string")
        throw new TypeError("The embedded SSH server does not listen.");
      return { host: address.address, port: address.port };
    },
    recheck() {
      for (const connection of [...connections]) connection.recheck();
    },
    endIdentity(isMeant) {
      let ended = 0;
      for (const connection of [...connections]) {
        const { identity } = connection;
        if (identity === undefined || !isMeant(identity)) continue;
        connection.revoke();
        ended++;
      }
      return ended;
    },
    stats() {
      let channels = 0;
      for (const connection of connections) channels += connection.channelCount;
      return {
        strangers: admission.size,
        connections: connections.size,
        channels,
      };
    },
  };
}
