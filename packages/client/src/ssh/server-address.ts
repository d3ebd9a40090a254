// Reads where a person wants to go: `user@host[:port]`, `ssh://user@host:port` or an alias of ~/.ssh/config.
import { ExposeError } from "../errors.ts";

/** What was typed, taken apart. What was left away is undefined. */
export interface ServerAddress {
  /** A host name, an address without brackets, or a Host of ~/.ssh/config. */
  readonly host: string;
  readonly user: string | undefined;
  readonly port: number | undefined;
}

/**
 * Takes a server address apart. As in ssh the last `@` ends the user name. IPv6 addresses need brackets only where a
 * port follows.
 *
 * @throws ExposeError `usage-invalid`
 */
export function parseServerAddress(text: string): ServerAddress {
  const uri = /^ssh:\/\/(.*)$/i.exec(text);
  const rest = uri ? uri[1]!.replace(/\/$/, "") : text;
  const at = rest.lastIndexOf("@");
  const user = at < 0 ? undefined : rest.slice(0, at);
  const hostPort = rest.slice(at + 1);

  if (uri && user?.includes(":"))
    throw invalid(
      text.replace(/:[^:@]*@/, ":…@"),
      "passwords are not used; leave it away and log in with a key",
    );
  if (user === "" || user?.startsWith("-") || /[\s\p{Cc}]/u.test(user ?? ""))
    throw invalid(text, "the user name before the @ cannot be used");

  const { host, port } = splitPort(text, hostPort);
  if (host === "") throw invalid(text, "the host is missing");
  // ssh refuses the same: such a name would be taken for an option by whatever it is handed to next.
  if (host.startsWith("-"))
    throw invalid(text, "a host name does not begin with a hyphen");
  if (/[\s\p{Cc}/\\@[\]]/u.test(host))
    throw invalid(text, "this is no host name");
  return { host, user, port };
}

/** Gives host and port as text; IPv6 addresses in brackets, the default port left away. */
export function formatHostPort(host: string, port: number): string {
  if (port === 22) return host;
  return `${host.includes(":") ? `[${host}]` : host}:${port}`;
}

function splitPort(
  text: string,
  hostPort: string,
): { host: string; port: number | undefined } {
  const bracketed = /^\[([^\]]*)\](?::(.*))?$/.exec(hostPort);
  if (bracketed)
    return { host: bracketed[1]!, port: parsePort(text, bracketed[2]) };
  const colon = hostPort.indexOf(":");
  // More than one colon and no brackets: an IPv6 address.
  if (colon < 0 || colon !== hostPort.lastIndexOf(":"))
    return { host: hostPort, port: undefined };
  return {
    host: hostPort.slice(0, colon),
    port: parsePort(text, hostPort.slice(colon + 1)),
  };
}

function parsePort(
  text: string,
  digits: string | undefined,
): number | undefined {
  if (digits === undefined) return undefined;
  const port = /^\d{1,5}$/.test(digits) ? Number(digits) : 0;
  if (port < 1 || port > 65_535)
    throw invalid(
      text,
      `"${digits}" is no port; a port is a number from 1 to 65535`,
    );
  return port;
}

function invalid(text: string, reason: string): ExposeError {
  return new ExposeError(
    "usage-invalid",
    `The server "${text}" cannot be used: ${reason}. Write it as user@host or user@host:port.`,
  );
}
