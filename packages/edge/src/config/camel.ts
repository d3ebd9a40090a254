// Keys are kebab-case in the YAML file and camelCase in code.

type Camel<Key extends string> = Key extends `${infer Head}-${infer Tail}`
  ? `${Head}${Capitalize<Camel<Tail>>}`
  : Key;

/** An object type with camelCase keys, read-only all the way down. */
export type CamelKeys<T> = T extends readonly (infer Item)[]
  ? readonly Item[]
  : T extends object
    ? { readonly [Key in keyof T & string as Camel<Key>]: CamelKeys<T[Key]> }
    : T;

/** Gives a copy with camelCase keys, frozen all the way down. */
export function camelKeys<T>(value: T): CamelKeys<T> {
  // The type says what the code does, which TypeScript cannot check for mapped keys.
  return convert(value) as CamelKeys<T>;
}

function convert(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return Object.freeze(value.map(convert));
  return Object.freeze(
    Object.fromEntries(
      Object.entries(value).map(([key, inner]) => [camel(key), convert(inner)]),
    ),
  );
}

const camel = (key: string): string =>
  key.replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());
