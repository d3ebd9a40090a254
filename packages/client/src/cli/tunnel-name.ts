// Which name a tunnel is to have, from the three ways to say it.
import { explainInvalidName } from "@expose/protocol";
import { ExposeError } from "../errors.ts";
import type { Flags } from "./command.ts";

/** A wanted name; all absent means that the edge may choose. */
export interface WantedName {
  name?: string;
  /** The whole host, when that was given: to be checked once the edge's domain is known. */
  host?: string;
}

/**
 * Reads `--subdomain`, `--url` and `--domain`. Nothing is asked of a server: what can never be a name is refused first.
 *
 * @throws ExposeError `name-refused` for a name that no edge serves, `usage-invalid` for a URL that is none
 */
export function resolveWantedName(
  flags: Pick<Flags, "subdomain" | "url" | "domain">,
): WantedName {
  if (flags.subdomain !== undefined)
    return { name: checkedName(flags.subdomain) };
  const [flag, text] =
    flags.url !== undefined ? ["--url", flags.url] : ["--domain", flags.domain];
  if (text === undefined) return {};
  const host = parseHost(flag, text);
  const [label = "", ...domain] = host.split(".");
  return domain.length > 0
    ? { name: checkedName(label), host }
    : { name: checkedName(label) };
}

/**
 * Compares a host that was asked for with what the edge serves.
 *
 * @param urlPattern URL of a tunnel with `*` in place of its name
 * @throws ExposeError `name-refused` when the host is not directly under the edge's domain
 */
export function checkWantedHost(wanted: WantedName, urlPattern: string): void {
  const { name, host } = wanted;
  if (name === undefined || host === undefined) return;
  const served = /^[a-z]+:\/\/([^/:]+)/i.exec(urlPattern)?.[1] ?? "";
  if (served.replace("*", name).toLowerCase() === host) return;
  throw new ExposeError(
    "name-refused",
    `"${host}" is not under the domain of this edge, which serves ${urlPattern}. Use --subdomain ${name} for ${urlPattern.replace("*", name)}.`,
  );
}

function checkedName(name: string): string {
  const reason = explainInvalidName(name);
  if (reason !== undefined)
    throw new ExposeError(
      "name-refused",
      `The name "${name}" cannot be used. ${reason}`,
    );
  return name;
}

// Host names are compared without regard to case (RFC 4343), unlike the names that people choose with --subdomain.
function parseHost(flag: string, text: string): string {
  const match =
    /^(?:(https?):\/\/)?([^/:?#@\s]+)(?::\d+)?\/?$/i.exec(text) ?? undefined;
  if (match) return match[2]!.toLowerCase().replace(/\.$/, "");
  throw new ExposeError(
    "usage-invalid",
    `${flag} "${text}" is no host name or http(s) URL without a path. Write ${flag} https://name.tunnel.example.com, or --subdomain name.`,
  );
}
