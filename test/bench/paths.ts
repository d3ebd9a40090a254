// Where the bench finds the product's parts and leaves what it makes.
import { join } from "node:path";

declare const BENCH_ROOT: string;

/** Absolute path of a file of the checkout. */
export const inRoot = (path = ""): string => join(BENCH_ROOT, path);

/** Figures, logs and profiles of runs; not checked in. */
export const CACHE = inRoot(".cache/bench");

export const CLI = inRoot("packages/client/dist/cli.cjs");
export const EDGE = inRoot("packages/edge/dist/main.js");
export const API_CLIENT = join(CACHE, "client.mjs");
export const HIDE_ADDON = inRoot("test/bench/setups/hide-addon.cjs");
export const WRK_SCRIPT = inRoot("test/bench/load/wrk-report.lua");
export const LINK_PROGRAM = inRoot("test/bench/wan/link.py");

/** Where clients of a run keep their compiled code: one place for all, as people have one home for all their tunnels. */
export const CODE_CACHE_ENV = {
  XDG_CACHE_HOME: join(CACHE, "clients"),
} as const;
