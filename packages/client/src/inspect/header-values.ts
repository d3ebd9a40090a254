// Looks up headers, whatever the case of their names.
import type { HeaderLine } from "@expose/protocol";

/**
 * Values of all lines of a name, in their order.
 *
 * @param name in lower case
 */
export const valuesOf = (
  headers: readonly HeaderLine[],
  name: string,
): string[] =>
  headers.flatMap(([key, value]) =>
    key.toLowerCase() === name ? [value] : [],
  );

/** Value of the first line of a name. @param name in lower case */
export const valueOf = (
  headers: readonly HeaderLine[],
  name: string,
): string | undefined =>
  headers.find(([key]) => key.toLowerCase() === name)?.[1];

/** Values of all lines of a name, joined (RFC 9110 section 5.3). @param name in lower case */
export function joinedValueOf(
  headers: readonly HeaderLine[],
  name: string,
): string | undefined {
  const values = valuesOf(headers, name);
  return values.length > 0 ? values.join(", ") : undefined;
}
