// Codes that cross the wire: why the edge refused or closed something, and what a visitor finds in the
// `Expose-Error` response header. They are stable; docs/errors.md explains each (a test compares the two).

/** Why the edge refuses or ends a session or a tunnel, as the client reads it in `refused` and `closed` messages. */
export const controlErrorCodes = {
  "name-taken": "Another identity holds this name.",
  "name-invalid": "The name is no DNS label that the edge can serve.",
  "name-reserved": "The operator keeps this name for themselves.",
  "name-not-allowed":
    "The users file does not grant this name to this identity.",
  "too-many-tunnels":
    "This identity has as many tunnels open as the users file or the edge allows.",
  "forward-missing":
    "The session holds no forward on the port that the message names.",
  "version-unsupported":
    "Client and edge speak different versions of the control protocol.",
  "message-invalid":
    "A control message was malformed, too long or out of order.",
  superseded:
    "The same identity opened this name again from elsewhere, and the newest session wins.",
  revoked: "The key of this session was removed from the users file.",
  draining: "The edge is stopping; reconnect to reach its successor.",
  "upstream-option-invalid":
    "The edge cannot do what the tunnel's options ask for.",
} as const;

/** One of {@link controlErrorCodes}. */
export type ControlErrorCode = keyof typeof controlErrorCodes;

/** What a visitor finds in the `Expose-Error` header of a response that the edge made itself. */
export const visitorErrorCodes = {
  "host-invalid":
    "The request's Host is missing, doubled, malformed or at odds with its target.",
  "host-unknown": "The Host is not under the domain of this edge.",
  "tunnel-unknown": "No tunnel of this name is open.",
  "tunnel-away":
    "The tunnel's client lost its connection a moment ago and may be back soon.",
  "tunnel-busy": "The tunnel has as many requests in flight as it may have.",
  "visitor-busy":
    "This address has as many connections open as one visitor may have.",
  "upstream-down":
    "The tunnel is up, and nothing answers at the local address behind it.",
  "upstream-timeout": "The local service did not begin to answer in time.",
  "upstream-invalid":
    "The local service answered with something that is not HTTP/1.1.",
  "upstream-closed":
    "The local service closed the connection before it had answered.",
  "forward-failed":
    "The connection through the tunnel could not be opened or was lost.",
  "request-invalid": "The request is malformed or ambiguous.",
  "request-timeout": "The request did not arrive in time.",
  "headers-too-large": "The request's head is larger than the edge accepts.",
  "upgrade-refused": "Only WebSocket upgrades pass, and only without a body.",
  "edge-draining": "The edge is stopping.",
  "edge-error": "The edge failed; this is a bug.",
} as const;

/** One of {@link visitorErrorCodes}. */
export type VisitorErrorCode = keyof typeof visitorErrorCodes;
