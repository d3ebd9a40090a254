// Forwards of sessions that another process of the edge holds: connections are dialled here all the same, with their proofs.
import type { Socket } from "node:net";
import type { DirectRoute, Forward } from "../forward.ts";
import { createForward } from "./forward.ts";
import { defaultLimits, type OpensshLimits } from "./options.ts";

/** A forward, and how to end it. */
export interface DirectForward {
  readonly forward: Forward;
  /** Its session or its tunnel is gone. Connections are left to whoever uses them. Idempotent. */
  end(): void;
}

/** All such forwards of one process. */
export interface DirectForwards {
  add(route: DirectRoute): DirectForward;
}

interface Session {
  readonly connections: Set<Socket>;
  forwards: number;
}

/** @param limits of each session, for the connections of this process alone */
export function createDirectForwards(
  limits: Partial<
    Pick<OpensshLimits, "maxConnectionsPerSession" | "proofMs">
  > = {},
): DirectForwards {
  const { maxConnectionsPerSession: maxConnections, proofMs } = {
    ...defaultLimits,
    ...limits,
  };
  /** By the client's proof, which no two sessions share. */
  const sessions = new Map<string, Session>();

  function enter(key: string): Session {
    const session = sessions.get(key) ?? {
      connections: new Set<Socket>(),
      forwards: 0,
    };
    sessions.set(key, session);
    session.forwards++;
    return session;
  }

  return {
    add({ port, proof, uid }) {
      const session = enter(proof.client);
      const callbacks = new Set<() => void>();
      let ended = false;
      const forward = createForward(port, {
        connections: session.connections,
        maxConnections,
        clientProof: Buffer.from(proof.client, "latin1"),
        edgeProof: Buffer.from(proof.edge, "latin1"),
        proofMs,
        uid,
        isEnded: () => ended,
        onceEnded(callback) {
          if (ended) callback();
          else callbacks.add(callback);
          return () => callbacks.delete(callback);
        },
      });
      return {
        forward,
        end() {
          if (ended) return;
          ended = true;
          if (--session.forwards === 0) sessions.delete(proof.client);
          for (const callback of [...callbacks]) callback();
          callbacks.clear();
        },
      };
    },
  };
}
