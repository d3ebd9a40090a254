// What both ends agree on. No sockets, files or clocks in here.
export * from "./error-codes.ts";
export * from "./exchange.ts";
export * from "./fair-link.ts";
export * from "./filter-syntax.ts";
export * from "./hostname.ts";
export * from "./inspector-api.ts";
export * from "./join.ts";
export * from "./lent-reads.ts";
export * from "./limits.ts";
export * from "./message-stream.ts";
export * from "./messages.ts";
export * from "./path-meter.ts";
export * from "./receive-window.ts";
export * from "./ssh-flow.ts";
export * from "./ssh-tuning.ts";
export * from "./tunnel-spec.ts";
export * from "./version.ts";
