// Lists of header fields: names and values in turn, as they came.

/** All but the fields of one name. @param lower lower-case */
export function without(headers: readonly string[], lower: string): string[] {
  const kept: string[] = [];
  for (let i = 0; i + 1 < headers.length; i += 2)
    if (headers[i]!.toLowerCase() !== lower)
      kept.push(headers[i]!, headers[i + 1]!);
  return kept;
}

/** The same fields, each as a pair. */
export function pairs(flat: readonly string[]): [string, string][] {
  const result: [string, string][] = [];
  for (let i = 0; i + 1 < flat.length; i += 2)
    result.push([flat[i]!, flat[i + 1]!]);
  return result;
}

/** Each field on a line of its own. */
export function lines(flat: readonly string[]): string {
  let text = "";
  for (let i = 0; i + 1 < flat.length; i += 2)
    text += `${flat[i]}: ${flat[i + 1]}\r\n`;
  return text;
}
