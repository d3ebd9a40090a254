// Which names a tunnel may have. A name is one DNS label under the edge's domain.
import { MAX_NAME_LENGTH } from "./limits.ts";

// RFC 1123 section 2.1: letters, digits and inner hyphens. Lower case only: names are compared as they are, and a
// case-insensitive look-up somewhere else would make two names out of one.
const LABEL = /^[a-z0-9](?:[a-z0-9-]*[a-z0-9])?$/;

/**
 * Says what is wrong with a tunnel name, in words for the person who typed it.
 *
 * @param name the wanted name, as typed
 * @returns undefined when the name can be served, else one sentence with the mend
 */
export function explainInvalidName(name: string): string | undefined {
  if (name === "") return "A name must not be empty.";
  if (name.length > MAX_NAME_LENGTH)
    return `A name has at most ${MAX_NAME_LENGTH} characters (RFC 1035); this one has ${name.length}.`;
  if (name.includes("."))
    return "A name is a single label without dots; the edge adds its own domain.";
  const lowerCase = name.toLowerCase();
  if (name !== lowerCase && explainInvalidName(lowerCase) === undefined)
    return `Names are lower case; try "${lowerCase}".`;
  // RFC 5891 section 4.2.3.1 keeps "--" in the third and fourth place for encodings such as punycode, which would let
  // a name look like another one in a browser's address bar.
  if (/^..--/.test(name))
    return "Names with hyphens in the third and fourth place (punycode) are not served.";
  if (!LABEL.test(name))
    return "A name has letters a to z, digits and hyphens only, and neither begins nor ends with a hyphen.";
  return undefined;
}
