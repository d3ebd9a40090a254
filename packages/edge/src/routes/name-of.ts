// Which name a host name means.
import { isIP } from "node:net";

/** What decides it. */
export interface NameReaderOptions {
  /** Domains that names live under, lower case. */
  readonly domains: readonly string[];
  /** Name that is meant when the host is an IP address; undefined: none is. */
  readonly defaultName: string | undefined;
}

/**
 * Builds a reader of host names.
 *
 * @returns a function that gives the name of a host, "" for a domain itself, undefined for a host under none of them
 */
export function createNameReader({
  domains,
  defaultName,
}: NameReaderOptions): (hostname: string) => string | undefined {
  return (hostname) => {
    for (const domain of domains)
      if (hostname.endsWith(domain)) {
        if (hostname.length === domain.length) return "";
        const label = hostname.length - domain.length - 1;
        if (hostname[label] === ".") return hostname.slice(0, label);
      }
    if (defaultName !== undefined && isIP(hostname.replace(/^\[(.*)\]$/, "$1")))
      return defaultName;
    return undefined;
  };
}
