// Looks whether visitors can find the edge: the domain, and any name under it, must have an address in the DNS.
import { randomBytes } from "node:crypto";
import { Resolver } from "node:dns/promises";

/** Which name servers are asked, and for how long. */
export interface CheckDomainOptions {
  /** `address:port` of name servers. Default: those of the system. */
  readonly servers?: readonly string[];
  /** For one question, milliseconds. Default: 3,000. */
  readonly timeoutMs?: number;
}

/**
 * Asks the DNS (not /etc/hosts, which visitors do not have) for a domain and for a random name under it.
 *
 * @returns one sentence for each thing to mend; empty when all is well. Never throws for what the DNS answers.
 */
export async function checkDomain(
  domain: string,
  options: CheckDomainOptions = {},
): Promise<readonly string[]> {
  // RFC 6761 section 6.3: never in the DNS; browsers and curl send it to this machine.
  if (domain === "localhost" || domain.endsWith(".localhost"))
    return [
      `${domain} is found by visitors on this machine only; set domain to one of yours to be found by others.`,
    ];
  const resolver = new Resolver({
    timeout: options.timeoutMs ?? 3_000,
    tries: 1,
  });
  if (options.servers) resolver.setServers(options.servers);
  // Random, so that no record of its own can stand in for the wildcard.
  const probe = `dns-check-${randomBytes(6).toString("hex")}.${domain}`;
  const [own, under] = await Promise.all([
    addressesOf(resolver, domain),
    addressesOf(resolver, probe),
  ]);

  const problems: string[] = [];
  if (under.addresses.length === 0)
    problems.push(
      `Names under ${domain} have no address (${under.error}): add a wildcard record *.${domain} that leads to this machine.`,
    );
  if (own.addresses.length === 0)
    problems.push(
      `${domain} has no address (${own.error}): add an A or AAAA record that leads to this machine.`,
    );
  else if (
    under.addresses.length > 0 &&
    !own.addresses.some((address) => under.addresses.includes(address))
  )
    problems.push(
      `${domain} leads to ${own.addresses.join(", ")} and names under it to ${under.addresses.join(", ")}: let both lead to this machine.`,
    );
  return problems;
}

async function addressesOf(
  resolver: Resolver,
  name: string,
): Promise<{ addresses: string[]; error: string }> {
  const answers = await Promise.allSettled([
    resolver.resolve4(name),
    resolver.resolve6(name),
  ]);
  const addresses = answers.flatMap((answer) =>
    answer.status === "fulfilled" ? answer.value : [],
  );
  // A domain with A records alone answers ENODATA for AAAA, which says less than any other error.
  const errors = answers.flatMap((answer) =>
    answer.status === "rejected"
      ? [String((answer.reason as NodeJS.ErrnoException).code)]
      : [],
  );
  return {
    addresses,
    error: errors.find((code) => code !== "ENODATA") ?? errors[0] ?? "ENODATA",
  };
}
