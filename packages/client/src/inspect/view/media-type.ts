// Reads Content-Type (RFC 9110 section 8.3.1) and values of its form, such as Content-Disposition.

/** A media type, as far as it can be read. */
export interface MediaType {
  /** Lower case, without parameters; absent when there is none. */
  readonly type?: string;
  /** By their names in lower case; the first one of a name counts. */
  readonly parameters: ReadonlyMap<string, string>;
}

export function parseMediaType(value: string | undefined): MediaType {
  if (value === undefined) return { parameters: new Map() };
  const text = value.slice(0, MAX_LENGTH);
  const end = text.indexOf(";");
  const type = (end < 0 ? text : text.slice(0, end)).trim().toLowerCase();
  const parameters = new Map<string, string>();
  if (end >= 0)
    for (const match of text.slice(end).matchAll(PARAMETER)) {
      const [, name = "", quoted, plain = ""] = match;
      const key = name.toLowerCase();
      if (!parameters.has(key))
        parameters.set(key, quoted?.replace(/\\(.)/gs, "$1") ?? plain.trim());
    }
  return { ...(type !== "" && { type }), parameters };
}

const MAX_LENGTH = 2_000;

// Each step consumes what it looked at, and a name cannot begin where another one did not end.
const PARAMETER =
  /;\s*([\w!#$%&'*+.^`|~-]{1,100})=(?:"((?:[^"\\]|\\.)*)"|([^;"]*))/gs;
