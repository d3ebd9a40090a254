// What a person may write for the local service: `8080`, `host:port`, a URL, a Unix socket or a folder.

/** Where a tunnel leads on the client's side. */
export type UpstreamSpec =
  | { kind: "tcp"; host: string; port: number }
  | { kind: "tls"; host: string; port: number; verify: boolean }
  | { kind: "unix"; path: string }
  | { kind: "folder"; path: string };

/** A spec that cannot be read; `message` quotes the value and says what is expected. */
export class UpstreamSpecError extends Error {
  override name = "UpstreamSpecError";
}

const EXPECTED =
  "expected a port, host:port, http:// or https:// URL, unix:/path or a folder";

/**
 * Reads the address of a local service.
 *
 * A bare port means `localhost`, which the client dials over IPv6 and IPv4. Port 443 without a scheme means TLS, as in
 * ngrok. `https+insecure://` switches certificate verification off. Whatever begins with `/`, `./`, `../` or `~/`, or
 * is `.`, is a folder.
 *
 * @throws UpstreamSpecError when the text is none of these
 */
export function parseUpstreamSpec(text: string): UpstreamSpec {
  if (/^\d+$/.test(text)) return tcpOrTls("localhost", parsePort(text, text));
  if (text.startsWith("unix:")) {
    const path = text.slice("unix:".length).replace(/^\/\/(?=\/)/, "");
    if (!path.startsWith("/"))
      throw new UpstreamSpecError(
        `"${text}": the path of a Unix socket must be absolute.`,
      );
    return { kind: "unix", path };
  }
  if (text.startsWith("file://"))
    return { kind: "folder", path: text.slice("file://".length) };
  if (/^(?:\.{0,2}|~)\//.test(text) || text === "." || text === "..")
    return { kind: "folder", path: text };
  const url = /^(https?|https\+insecure):\/\/(.*)$/i.exec(text);
  if (url) return parseUrl(text, url[1]!.toLowerCase(), url[2]!);
  const hostPort = /^(\[[0-9a-f:.]+\]|[^:/\s]+):(\d+)$/i.exec(text);
  if (hostPort)
    return tcpOrTls(stripBrackets(hostPort[1]!), parsePort(hostPort[2]!, text));
  throw new UpstreamSpecError(`"${text}": ${EXPECTED}.`);
}

/** Gives a spec back as short text, for a status line or an error page: `localhost:8080`, `https://localhost:8443`. */
export function formatUpstreamSpec(spec: UpstreamSpec): string {
  switch (spec.kind) {
    case "tcp":
      return `${bracket(spec.host)}:${spec.port}`;
    case "tls":
      return `${spec.verify ? "https" : "https+insecure"}://${bracket(spec.host)}:${spec.port}`;
    case "unix":
      return `unix:${spec.path}`;
    case "folder":
      return spec.path;
  }
}

function parseUrl(text: string, scheme: string, rest: string): UpstreamSpec {
  const [authority = "", ...path] = rest.split("/");
  if (path.join("/") !== "")
    throw new UpstreamSpecError(
      `"${text}": a tunnel leads to a whole host; leave the path "/${path.join("/")}" away.`,
    );
  const match = /^(\[[0-9a-f:.]+\]|[^:@?#\s]+)(?::(\d+))?$/i.exec(authority);
  if (!match) throw new UpstreamSpecError(`"${text}": ${EXPECTED}.`);
  const host = stripBrackets(match[1]!);
  const port = match[2]
    ? parsePort(match[2], text)
    : scheme === "http"
      ? 80
      : 443;
  if (scheme === "http") return { kind: "tcp", host, port };
  return { kind: "tls", host, port, verify: scheme === "https" };
}

function tcpOrTls(host: string, port: number): UpstreamSpec {
  return port === 443
    ? { kind: "tls", host, port, verify: true }
    : { kind: "tcp", host, port };
}

function parsePort(digits: string, text: string): number {
  const port = Number(digits);
  if (digits.length > 5 || port < 1 || port > 65_535)
    throw new UpstreamSpecError(
      `"${text}": a port is a number from 1 to 65535.`,
    );
  return port;
}

const stripBrackets = (host: string): string =>
  host.replace(/^\[(.*)\]$/, "$1");
const bracket = (host: string): string =>
  host.includes(":") ? `[${host}]` : host;
