// What kind of content a file holds, by its name.
import { lookup } from "mrmime";

// Text without a charset is guessed at by browsers, and in the wrong way (RFC 6838 section 4.2.1).
const TEXT =
  /^(?:text\/.*|application\/(?:javascript|json|manifest\+json|xml|.*\+json|.*\+xml)|image\/svg\+xml)$/;

/** @param name a file's name; unknown endings are bytes to download */
export function contentType(name: string): string {
  const type = lookup(name) ?? "application/octet-stream";
  return TEXT.test(type) ? `${type}; charset=utf-8` : type;
}
