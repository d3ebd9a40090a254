// `expose-edge check`: says whether the edge could serve with this configuration, without starting it.
import { checkDomain } from "../config/check-domain.ts";
import type { EdgeConfig } from "../config/schema.ts";
import { EdgeError } from "../errors.ts";
import { readUsersFile } from "../registry/edit-users-file.ts";
import type { CliIo } from "./io.ts";

/** What `check` is told beside the configuration. */
export interface CheckOptions {
  /** Ask the DNS for the domains. */
  readonly dns: boolean;
  /** Name servers to ask, for tests. */
  readonly servers?: readonly string[];
}

/**
 * Checks what stands behind a configuration that was loaded, and is right therefore.
 *
 * @returns the exit status
 * @throws EdgeError `users-invalid`, `users-unreadable`, `domain-unresolved`
 */
export async function check(
  config: EdgeConfig,
  { dns, servers }: CheckOptions,
  io: CliIo,
): Promise<number> {
  const say = (text: string): void => void io.stdout.write(`${text}\n`);
  say("configuration: right");
  const users = await readUsersFile({
    file: config.users,
    directPorts: config.ingress.openssh.directPorts,
  });
  const keys = users.reduce((sum, user) => sum + user.keys.length, 0);
  say(
    users.length > 0
      ? `users file: right (${config.users}: ${users.length} identities, ${keys} keys)`
      : `users file: nobody can log in (${config.users}); add somebody with \`expose-edge keys add\``,
  );
  if (!dns) return 0;

  const problems: string[] = [];
  for (const domain of config.domain) {
    const found = await checkDomain(domain, servers ? { servers } : {});
    // Right for a trial on one machine, so that it is no error.
    if (isLocal(domain)) say(`DNS: ${found.join(" ")}`);
    else if (found.length > 0) problems.push(...found);
    else say(`DNS: ${domain} and the names under it have addresses`);
  }
  if (problems.length > 0)
    throw new EdgeError(
      "domain-unresolved",
      `Visitors will not find this edge:\n${problems.map((problem) => `  ${problem}`).join("\n")}`,
    );
  return 0;
}

// RFC 6761 section 6.3.
const isLocal = (domain: string): boolean =>
  domain === "localhost" || domain.endsWith(".localhost");
