// What a client's tcpip-forward means (RFC 4254 section 7.1). The address that plain ssh would bind is the name here.

/** What is asked for. */
export type ForwardRequest =
  /** The expose client's: it says over the control channel what it is for. */
  | { readonly kind: "control" }
  /** A tunnel at once; `name` is undefined for a random one. */
  | { readonly kind: "plain"; readonly name: string | undefined }
  /** `reason` is for the person who typed it. */
  | { readonly kind: "refused"; readonly reason: string };

// What ssh sends for `-R 80:…` is "localhost"; the others are what people type when they mean "wherever".
const NAMELESS = new Set([
  "",
  "*",
  "localhost",
  "127.0.0.1",
  "0.0.0.0",
  "::",
  "::1",
]);

// HTTP, and HTTPS because it is the port of the URL that comes out. 0 is the way to say "any" (ssh -R 0:…).
const HTTP_PORTS = new Set([0, 80, 443]);

// As long as a host name can be; the rules for names are not the ingress' business.
const MAX_NAME_LENGTH = 253;

/** Reads a forward request. */
export function readForwardRequest(
  bindAddress: string,
  bindPort: number,
): ForwardRequest {
  if (bindAddress === "127.0.0.1" && bindPort === 0) return { kind: "control" };
  if (!HTTP_PORTS.has(bindPort))
    return {
      kind: "refused",
      reason: `Port ${bindPort} cannot be forwarded here: tunnels are HTTP. Use -R 80:localhost:PORT.`,
    };
  if (NAMELESS.has(bindAddress)) return { kind: "plain", name: undefined };
  if (bindAddress.length > MAX_NAME_LENGTH)
    return { kind: "refused", reason: "The name is too long." };
  return { kind: "plain", name: bindAddress };
}
