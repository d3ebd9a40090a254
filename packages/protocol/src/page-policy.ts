// What the inspector's page may do: the client that serves it says so, and the page gets by with it.

/**
 * Value of Content-Security-Policy. Nothing is loaded from elsewhere, nothing inline runs, nobody frames the page. `blob:`
 * and `data:` are for images that the page makes of captured bytes.
 */
export const PAGE_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' blob: data:",
  "font-src 'self'",
  "connect-src 'self'",
  "manifest-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join("; ");
