// Hides values of headers that let somebody in, for readers who have shown no token.
import type { HeaderLine } from "@expose/protocol";

const SECRET =
  /^(authorization|proxy-authorization|cookie|set-cookie)$|token|secret|password|api-?key|session/i;

/** Gives the lines with `[redacted]` in place of what nobody else may read. */
export const hideSecrets = (headers: readonly HeaderLine[]): HeaderLine[] =>
  headers.map(([name, value]) => [
    name,
    SECRET.test(name) ? "[redacted]" : value,
  ]);
