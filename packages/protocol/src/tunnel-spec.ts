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

// What a host may be made of: letters and digits of any script (the resolver decides), or an IPv6 address in brackets.
const HOST = /^(\[[0-9a-f:.]+\]|[\p{L}\p{N}._-]+)(?::(\d+))?$/iu;

const EXPECTED =
  "expected a port, host:port, http:// or https:// URL, unix:/path or a folder";

/**
 * Reads the address of a local service.
 *
 * A bare port means `localhost`, which the client dials over IPv6 and IPv4. Port 443 without a scheme means TLS, as in
 * ngrok. `https+insecure://` switches certificate verification off. Whatever begins with `/`, `./`, `../` or `~/`, or
 * is `.`, `..` or `~`, is a folder, and so is a `file://` URL (RFC 8089). `~` is not resolved here.
 *
 * @throws UpstreamSpecError when the text is none of these
 */
export function parseUpstreamSpec(text: string): UpstreamSpec {
  if (/^\d+$/.test(text)) return tcpOrTls("localhost", parsePort(text, text));
  if (text.startsWith("unix:")) {
    const path = text.slice("unix:".length).replace(/^\/+/, "/");
    if (!path.startsWith("/") || path.includes("\0"))
      throw new UpstreamSpecError(
        `"${text}": the path of a Unix socket must be absolute.`,
      );
    return { kind: "unix", path };
  }
  if (text.startsWith("file:")) return parseFileUrl(text);
  if (isFolderPath(text) && !text.includes("\0"))
    return { kind: "folder", path: text };
  const url = /^(https?|https\+insecure):\/\/(.*)$/i.exec(text);
  if (url) return parseUrl(text, url[1]!.toLowerCase(), url[2]!);
  const hostPort = HOST.exec(text);
  if (hostPort?.[2])
    return tcpOrTls(
      parseHost(hostPort[1]!, text),
      parsePort(hostPort[2], text),
    );
  throw new UpstreamSpecError(`"${text}": ${EXPECTED}.`);
}

/**
 * Gives a spec back as text that parseUpstreamSpec reads as the same spec, for a status line or an error page:
 * `localhost:8080`, `https://localhost:8443`.
 */
export function formatUpstreamSpec(spec: UpstreamSpec): string {
  switch (spec.kind) {
    case "tcp":
      return `${spec.port === 443 ? "http://" : ""}${bracket(spec.host)}:${spec.port}`;
    case "tls":
      return `${spec.verify ? "https" : "https+insecure"}://${bracket(spec.host)}:${spec.port}`;
    case "unix":
      return `unix:${spec.path}`;
    case "folder":
      return isFolderPath(spec.path) ? spec.path : `./${spec.path}`;
  }
}

function parseUrl(text: string, scheme: string, rest: string): UpstreamSpec {
  const [authority = "", ...path] = rest.split("/");
  if (path.join("/") !== "")
    throw new UpstreamSpecError(
      `"${text}": a tunnel leads to a whole host; leave the path "/${path.join("/")}" away.`,
    );
  const match = HOST.exec(authority);
  if (!match) throw new UpstreamSpecError(`"${text}": ${EXPECTED}.`);
  const host = parseHost(match[1]!, text);
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

function parseHost(host: string, text: string): string {
  if (!host.startsWith("[")) return host;
  if (!URL.canParse(`http://${host}`))
    throw new UpstreamSpecError(`"${text}": ${host} is no IPv6 address.`);
  return host.slice(1, -1);
}

function parseFileUrl(text: string): UpstreamSpec {
  const written = /^file:\/\/(?:localhost(?=\/))?(.+)$/.exec(text)?.[1];
  try {
    const path = decodeURIComponent(written ?? "");
    if (path !== "" && !path.includes("\0"))
      return { kind: "folder", path: isFolderPath(path) ? path : `./${path}` };
  } catch {
    // A "%" that begins no escape: the message below says what is expected.
  }
  throw new UpstreamSpecError(
    `"${text}": expected file:// and the path of a folder, with "%" written as "%25".`,
  );
}

const isFolderPath = (path: string): boolean =>
  /^(?:\.{0,2}|~)\//.test(path) || /^(?:\.{1,2}|~)$/.test(path);
const bracket = (host: string): string =>
  host.includes(":") ? `[${host}]` : host;
