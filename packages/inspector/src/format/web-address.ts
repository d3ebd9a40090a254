// Addresses that may become links.

/** The address when it leads to the web, undefined for any other (`javascript:`, say) and for what is none. */
export function webAddress(text: string): string | undefined {
  try {
    const url = new URL(text);
    return url.protocol === "http:" || url.protocol === "https:"
      ? url.href
      : undefined;
  } catch {
    return undefined;
  }
}
