// Looks up the account that the tunnels log in to.
import { readFile } from "node:fs/promises";
import { EdgeError } from "../../errors.ts";

/**
 * Gives the number of a local account.
 *
 * @throws EdgeError `config-invalid` when there is no such account
 */
export async function findUid(
  account: string,
  passwd = "/etc/passwd",
): Promise<number> {
  const lines = await readFile(passwd, "utf8").catch(() => "");
  for (const line of lines.split("\n")) {
    const [name, , uid] = line.split(":");
    if (name === account && /^\d+$/.test(uid ?? "")) return Number(uid);
  }
  throw new EdgeError(
    "config-invalid",
    `The account "${account}", which the tunnels log in to, does not exist on this machine; make it (docs/vps.md) or name the right one in ingress.openssh.account.`,
  );
}
