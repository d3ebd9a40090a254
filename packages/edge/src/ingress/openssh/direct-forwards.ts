// Forwards of sessions that another process of the edge holds: connections are dialled here all the same, with their proofs.
import type { Socket } from "node:net";
import { Closable } from "../../util/closable.ts";
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
      const life = new Closable();
      life.onceClosed(() => {
        if (--session.forwards === 0) sessions.delete(proof.client);
      });
      const forward = createForward(port, {
        connections: session.connections,
        maxConnections,
        clientProof: Buffer.from(proof.client, "latin1"),
        edgeProof: Buffer.from(proof.edge, "latin1"),
        proofMs,
        uid,
        life,
      });
      return { forward, end: () => life.markClosed() };
    },
  };
}
