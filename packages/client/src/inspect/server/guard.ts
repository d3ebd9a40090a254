// Who may speak to the inspector at all. It listens on loopback, but that alone keeps nobody out: a page in the browser
// can send requests there, a name of an attacker can be made to point there (DNS rebinding), and what comes through a
// tunnel arrives from loopback too.
import { ApiError } from "./api-error.ts";

/** What is looked at, as it came: names and values in turn. */
export interface GuardedRequest {
  readonly method: string;
  readonly rawHeaders: readonly string[];
  /** Whether this is a page that a person may come to by a link from anywhere. */
  readonly isPage: boolean;
}

// Set by proxies on the way, and by our edge on all that passes a tunnel.
const FORWARDED = /^(forwarded|via|x-forwarded(-.*)?|x-real-ip)$/i;

/**
 * Checks where a request comes from.
 *
 * @param port our own
 * @throws ApiError `forwarded`, `host-refused`, `origin-refused`, `site-refused`
 */
export function guardRequest(request: GuardedRequest, port: number): void {
  const { rawHeaders } = request;
  const hosts = new Set(allowedHosts(port));
  const values = (name: string): string[] =>
    rawHeaders.flatMap((key, i) =>
      i % 2 === 0 && key.toLowerCase() === name ? [rawHeaders[i + 1]!] : [],
    );

  const forwarded = rawHeaders.find(
    (name, i) => i % 2 === 0 && FORWARDED.test(name),
  );
  if (forwarded !== undefined)
    throw new ApiError(
      "forwarded",
      "The inspector answers nobody who comes through a tunnel or a proxy.",
    );

  const [host, ...more] = values("host");
  if (host === undefined || more.length > 0 || !hosts.has(host.toLowerCase()))
    throw new ApiError(
      "host-refused",
      `The inspector answers to http://127.0.0.1:${port}, http://localhost:${port} and http://[::1]:${port} only.`,
    );

  // "null" is what sandboxed frames and local files send.
  for (const origin of values("origin"))
    if (origin !== `http://${host.toLowerCase()}`)
      throw new ApiError(
        "origin-refused",
        "The inspector answers no other site.",
      );

  // "same-site" is any other port of this machine. A page may be come to by a link: it does nothing by being opened.
  const mayNavigate =
    request.isPage &&
    request.method === "GET" &&
    values("sec-fetch-mode").join() === "navigate" &&
    values("sec-fetch-dest").join() === "document";
  for (const site of values("sec-fetch-site"))
    if (site !== "same-origin" && site !== "none" && !mayNavigate)
      throw new ApiError(
        "site-refused",
        "The inspector answers no other site.",
      );
}

/** The values of Host that mean us. */
export const allowedHosts = (port: number): string[] =>
  ["localhost", "127.0.0.1", "[::1]"].map((name) =>
    port === 80 ? name : `${name}:${port}`,
  );
