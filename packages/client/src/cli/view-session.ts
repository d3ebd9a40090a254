// What an output shows of a session with an edge.
import type { Session } from "../open-session.ts";
import type { SessionView } from "./output/output.ts";

/** A view that stays up to date. */
export function viewSession(session: Session): SessionView {
  const { user } = session.connectionFacts.target;
  return {
    server: `${user}@${session.server}`,
    get identity() {
      return session.identity;
    },
    get ingress() {
      return session.ingress;
    },
    get edgeVersion() {
      return session.edgeVersion;
    },
    get latencyMs() {
      return session.latencyMs;
    },
    get state() {
      return session.state;
    },
  };
}
