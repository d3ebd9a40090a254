// The URLs that clients are given.
import type { EdgeConfig } from "../config/schema.ts";
import type { ListenAddress } from "../config/values.ts";

/** Makes URLs of host names. */
export interface Urls {
  readonly of: (hostname: string) => string;
  /** Of a tunnel with `*` in place of its name. */
  readonly pattern: () => string;
}

/** @param bound filled when the listeners are; the first one's port stands in URLs unless the operator says otherwise */
export function createUrls(
  config: EdgeConfig,
  bound: readonly ListenAddress[],
): Urls {
  const scheme = config.publicUrl?.scheme ?? "http";
  const of = (hostname: string): string => {
    const port = config.publicUrl?.port ?? bound[0]!.port;
    const isDefault = port === (scheme === "https" ? 443 : 80);
    return `${scheme}://${hostname}${isDefault ? "" : `:${port}`}`;
  };
  return { of, pattern: () => of(`*.${config.domain[0]}`) };
}
