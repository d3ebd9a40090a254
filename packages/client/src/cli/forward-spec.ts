// Reads `[bind:]port:host:port`, as `ssh -L` writes it.
import { ExposeError } from "../errors.ts";
import type { LocalForwardSpec } from "../open-local.ts";

/**
 * IPv6 addresses stand in brackets. A bind address of `*` or nothing (`:7777:…`) means every address of this machine.
 *
 * @throws ExposeError `usage-invalid`
 */
export function parseForwardSpec(text: string): LocalForwardSpec {
  const parts = text.match(/\[[^\]]*\]|[^:[\]]+|(?<=^|:)(?=:)/g) ?? [];
  const whole = parts.join(":") === text;
  const [bind, port, host, hostPort] =
    parts.length === 4 ? parts : [undefined, ...parts];
  if (!whole || parts.length < 3 || parts.length > 4 || !host)
    throw invalid(text, "it has not three or four parts");
  return {
    bind: bind === undefined ? undefined : stripBrackets(bind) || "*",
    port: parsePort(text, port!, 0),
    host: stripBrackets(host),
    hostPort: parsePort(text, hostPort!, 1),
  };
}

function parsePort(text: string, digits: string, least: number): number {
  const port = /^\d{1,5}$/.test(digits) ? Number(digits) : -1;
  if (port < least || port > 65_535)
    throw invalid(text, `"${digits}" is no port from ${least} to 65535`);
  return port;
}

const stripBrackets = (host: string): string =>
  host.replace(/^\[(.*)\]$/, "$1");

const invalid = (text: string, reason: string): ExposeError =>
  new ExposeError(
    "usage-invalid",
    `"${text}" is no forward: ${reason}. Write port:host:port or bind:port:host:port, as in 7777:localhost:7780.`,
  );
