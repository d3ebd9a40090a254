// Names that nobody gets, whatever the operator configures: visitors and programs take them for the operator's own.

/** Reserved on every edge; `reserved-names` adds to them. */
export const ALWAYS_RESERVED: readonly string[] = [
  "www",
  "admin",
  // Mail: programs fetch settings and policies from these without asking anybody (RFC 8461, autoconfig, Autodiscover).
  "mail",
  "smtp",
  "imap",
  "mx",
  "autoconfig",
  "autodiscover",
  "mta-sts",
  // Proxy discovery: whoever answers here reads the traffic of a whole network.
  "wpad",
  "isatap",
  "ns1",
  "ns2",
  "localhost",
];
