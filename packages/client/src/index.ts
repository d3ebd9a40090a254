// The Node API of expose. The CLI is made of the same parts.
export { expose } from "./expose.ts";
export {
  openSession,
  type Session,
  type SessionEvents,
} from "./open-session.ts";
export {
  ExposeError,
  clientErrorCodes,
  type ClientErrorCode,
} from "./errors.ts";
export {
  startDebugServer,
  type DebugRequest,
  type DebugServer,
} from "./local/debug-server.ts";
export type { Prompt, SessionOptions, TunnelOptions } from "./options.ts";
export type {
  Hint,
  RequestInfo,
  SessionState,
  Tunnel,
  TunnelEvents,
} from "./tunnel.ts";
