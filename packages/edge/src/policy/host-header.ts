// Which Host, Origin and Referer the upstream sees. The only policy that changes requests by default leaves them alone.
import { parseUpstreamSpec, UpstreamSpecError } from "@expose/protocol";

/** What is to be changed in a request's head; an absent field means "leave it as it came". */
export interface HostHeaderChange {
  /** The value of Host. */
  readonly host?: string;
  /** Replaces `from` where it is the origin of an Origin or Referer header. Both are lower-case, without a path. */
  readonly origin?: { readonly from: string; readonly to: string };
}

// RFC 3986 section 3.2.2 without percent-encoding and sub-delimiters, which no real host has. This runs before text of
// a client becomes part of a head: a character above U+00FF would be cut to eight bits there, so U+010A would be a
// line feed.
const HOST = /^(?:[a-z0-9._-]+|\[[0-9a-f:.]+\])(?::\d{1,5})?$/i;

/**
 * Whether a tunnel may ask for this: `preserve`, `rewrite`, or a host with an optional port to send literally.
 * A literal that reads `preserve` or `rewrite` cannot be had.
 */
export function isHostHeaderPolicy(policy: string): boolean {
  return policy === "preserve" || policy === "rewrite" || isHost(policy);
}

/**
 * Decides once per tunnel what happens to Host, Origin and Referer.
 *
 * `rewrite` is what dev servers need that refuse foreign hosts (Vite, webpack, Django, Rails): Host becomes the
 * upstream's, and an Origin or Referer that names the public URL names the upstream, so that checks of the one against
 * the other still agree. A literal changes Host alone. A policy that {@link isHostHeaderPolicy} refuses changes
 * nothing.
 *
 * @param policy `preserve`, `rewrite` or a literal host
 * @param upstream the local address as its owner wrote it: `localhost:8080`, `https://localhost:8443`, `unix:/run/app`
 * @param publicUrl what visitors type, scheme and port included
 */
export function decideHostHeader(
  policy: string,
  upstream: string,
  publicUrl: string,
): HostHeaderChange {
  if (policy === "preserve" || !isHostHeaderPolicy(policy)) return {};
  if (policy !== "rewrite") return { host: policy };
  const { host, scheme } = upstreamAuthority(upstream);
  return {
    host,
    origin: { from: originOf(publicUrl), to: `${scheme}://${host}` },
  };
}

/**
 * Changes the value of an Origin or a Referer, if it names the origin that is to be changed (RFC 6454 section 4:
 * scheme, host and port, all of them).
 *
 * @returns the value, changed or as it came
 */
export function rewriteOrigin(
  value: string,
  change: { readonly from: string; readonly to: string },
): string {
  const length = change.from.length;
  if (value.slice(0, length).toLowerCase() !== change.from) return value;
  const next = value.charAt(length);
  if (next !== "" && next !== "/" && next !== "?" && next !== "#") return value;
  return change.to + value.slice(length);
}

function upstreamAuthority(upstream: string): { host: string; scheme: string } {
  try {
    const spec = parseUpstreamSpec(upstream);
    if (spec.kind === "tcp" || spec.kind === "tls") {
      const scheme = spec.kind === "tls" ? "https" : "http";
      const name = spec.host.includes(":") ? `[${spec.host}]` : spec.host;
      const host =
        spec.port === (spec.kind === "tls" ? 443 : 80)
          ? name
          : `${name}:${spec.port}`;
      if (isHost(host)) return { host, scheme };
    }
  } catch (error) {
    if (!(error instanceof UpstreamSpecError)) throw error;
  }
  // Unix sockets and folders have no host, and a label that cannot be read must not reach the upstream.
  return { host: "localhost", scheme: "http" };
}

function originOf(url: string): string {
  const end = url.indexOf("/", url.indexOf("://") + "://".length);
  return (end < 0 ? url : url.slice(0, end)).toLowerCase();
}

const isHost = (text: string): boolean => text.length <= 260 && HOST.test(text);
