// Where a host name leads: which name it means, and who holds that.
import { isIP } from "node:net";
import type { Lease } from "./lease.ts";
import type { Router } from "./tunnel.ts";

/** What decides which name a host name means. */
export interface RouterOptions {
  /** Domains that names live under, lower case. */
  readonly domains: readonly string[];
  /** Name that is meant when the host is an IP address; undefined: none is. */
  readonly defaultName: string | undefined;
}

/** Builds a look-up in leases by name, as they are at each call. */
export function createRouter(
  leases: ReadonlyMap<string, Lease>,
  options: RouterOptions,
): Router {
  return {
    find(hostname) {
      const name = nameOf(hostname, options);
      if (name === undefined) return { kind: "foreign" };
      const lease = leases.get(name);
      if (!lease) return { kind: "unknown" };
      return lease.tunnel
        ? { kind: "tunnel", tunnel: lease.tunnel }
        : lease.away;
    },
  };
}

// "" for a domain itself, undefined for a host under none of them.
function nameOf(
  hostname: string,
  { domains, defaultName }: RouterOptions,
): string | undefined {
  for (const domain of domains)
    if (hostname.endsWith(domain)) {
      if (hostname.length === domain.length) return "";
      const label = hostname.length - domain.length - 1;
      if (hostname[label] === ".") return hostname.slice(0, label);
    }
  if (defaultName !== undefined && isIP(hostname.replace(/^\[(.*)\]$/, "$1")))
    return defaultName;
  return undefined;
}
