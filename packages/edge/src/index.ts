// The edge as a library: what `expose-edge serve` does, from code.
export { createEdge, type Edge, type EdgeAddresses } from "./edge.ts";
export { loadConfig, ConfigError, type ConfigSources } from "./config/load.ts";
export type { ConfigInput, EdgeConfig } from "./config/schema.ts";
export { EdgeError, edgeErrorCodes, type EdgeErrorCode } from "./errors.ts";
