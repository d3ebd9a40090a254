// Addresses that may become links.

/**
 * The address of an origin on the web: `https://shop.example.com`.
 *
 * @returns undefined for any other address (`javascript:`, one with a password or a path) and for what is none
 */
export function webAddress(text: string): string | undefined {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol !== "http:" && url?.protocol !== "https:") return undefined;
  return url.origin === text ? url.href : undefined;
}
