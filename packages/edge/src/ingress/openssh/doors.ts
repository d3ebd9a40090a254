// The control sockets, one for each identity, and the sessions that came in through them.
import type { Socket } from "node:net";
import { join } from "node:path";
import {
  encodeMessage,
  type ControlErrorCode,
  type EdgeMessage,
} from "@expose/protocol";
import type { IngressSession } from "../ingress.ts";
import type {
  OpensshIngressOptions,
  OpensshLimits,
  OpensshUser,
} from "./options.ts";
import { mustReturn } from "./revocation.ts";
import { createSession } from "./session.ts";
import { socketName } from "./socket-name.ts";
import { listenUnix, type UnixListener } from "./unix-listener.ts";

/** What the doors need. */
export interface DoorsOptions extends Pick<
  OpensshIngressOptions,
  "controlDir" | "handlers" | "ownPorts" | "log"
> {
  readonly limits: OpensshLimits;
  /** The account that sshd listens as; undefined when it is not to be checked. */
  readonly uid: number | undefined;
}

/** All control sockets of one ingress. Calls of `openMissing` and `closeRevoked` must not overlap. */
export interface Doors {
  /** Makes the sockets that identities lack. @throws EdgeError `listen-failed` */
  openMissing(wanted: readonly OpensshUser[]): Promise<void>;
  /**
   * Closes the doors of identities that are gone, and ends the sessions of those that lost something.
   * @returns whether anybody did
   */
  closeRevoked(wanted: readonly OpensshUser[]): Promise<boolean>;
  /** Lets nobody in any more. Idempotent. */
  stopAccepting(): void;
  /** Ends all sessions and resolves when their sockets have closed. */
  close(): Promise<void>;
}

interface Door {
  user: OpensshUser;
  /** Undefined while it is being made. */
  listener: UnixListener | undefined;
  readonly sessions: Set<IngressSession>;
}

/** Ports below are the system's; sshd, which listens as an ordinary account, cannot hold one. */
const FIRST_UNPRIVILEGED_PORT = 1024;

/** Builds the table; no socket is made yet. */
export function createDoors(options: DoorsOptions): Doors {
  const { controlDir, limits, log } = options;
  const doors = new Map<string, Door>();
  /** Control sockets, those of ended sessions included until they have closed. */
  const sockets = new Set<Socket>();
  let sessionCount = 0;
  let accepting = true;

  async function openMissing(wanted: readonly OpensshUser[]): Promise<void> {
    for (const user of wanted) {
      const { id } = user.identity;
      if (doors.has(id) || !accepting) continue;
      const door: Door = { user, listener: undefined, sessions: new Set() };
      const path = join(controlDir, socketName(controlDir, id));
      // Known before it is listened on: the first client may be waiting already.
      doors.set(id, door);
      try {
        door.listener = await listenUnix(path, (socket) => enter(door, socket));
      } catch (error) {
        doors.delete(id);
        throw error;
      }
      // The edge may have begun to leave in the meantime.
      if (!accepting) await door.listener.close();
    }
  }

  function enter(door: Door, control: Socket): void {
    const { identity } = door.user;
    sockets.add(control);
    control.once("close", () => sockets.delete(control));
    const session = createSession({
      identity,
      control,
      uid: options.uid,
      maxConnections: limits.maxConnectionsPerSession,
      proofMs: limits.proofMs,
      lingerMs: limits.lingerMs,
      mayLeadTo: (port) =>
        port >= FIRST_UNPRIVILEGED_PORT && !options.ownPorts().has(port),
    });
    if (!accepting || doors.get(identity.id) !== door) return session.end();
    if (
      door.sessions.size >= limits.maxSessionsPerIdentity ||
      sessionCount >= limits.maxSessions
    ) {
      log.warn("session refused", { identity: identity.id, why: "too many" });
      tell(session, {
        code: "too-many-tunnels",
        message: `${identity.id} has as many sessions open as it may have, or the edge has.`,
        retry: true,
      });
      return session.end();
    }
    sessionCount++;
    door.sessions.add(session);
    session.onceEnded(() => {
      sessionCount--;
      door.sessions.delete(session);
    });
    options.handlers.serve(session);
  }

  async function closeRevoked(
    wanted: readonly OpensshUser[],
  ): Promise<boolean> {
    const byId = new Map(wanted.map((user) => [user.identity.id, user]));
    const closing: Promise<void>[] = [];
    let anyRevoked = false;
    for (const [id, door] of [...doors]) {
      const next = byId.get(id);
      const revoked = !next || mustReturn(door.user, next);
      if (next) door.user = next;
      if (!revoked) continue;
      anyRevoked = true;
      log.info("identity revoked", { identity: id, removed: !next });
      if (!next) {
        doors.delete(id);
        if (door.listener) closing.push(door.listener.close());
      }
      for (const session of [...door.sessions]) {
        // Whose other keys are still good is told nothing, and finds out by coming back.
        if (!next)
          tell(session, {
            code: "revoked",
            message: `The key of ${id} was removed from the server's users file. Ask whoever runs it to add it again.`,
            retry: false,
          });
        session.end();
      }
    }
    await Promise.all(closing);
    return anyRevoked;
  }

  function stopAccepting(): void {
    accepting = false;
    for (const { listener } of doors.values()) void listener?.close();
  }

  async function close(): Promise<void> {
    stopAccepting();
    for (const { sessions } of doors.values())
      for (const session of [...sessions]) session.end();
    await Promise.all([
      ...[...doors.values()].map(({ listener }) => listener?.close()),
      ...[...sockets].map(closed),
    ]);
    doors.clear();
  }

  return { openMissing, closeRevoked, stopAccepting, close };
}

// Whole lines only, so it cannot fall into the middle of what control/ writes.
function tell(
  session: IngressSession,
  message: { code: ControlErrorCode; message: string; retry: boolean },
): void {
  if (!session.control.writable) return;
  session.control.write(
    encodeMessage({ t: "closed", ...message } satisfies EdgeMessage),
  );
}

const closed = (socket: Socket): Promise<void> =>
  new Promise((resolve) => socket.once("close", () => resolve()));
