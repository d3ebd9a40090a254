// The page: what opens it gets the token as a cookie, and with it everything else.
import type { IncomingMessage, ServerResponse } from "node:http";
import type { StaticFiles } from "../static-files.ts";
import { setCookie } from "../token.ts";

/** Paths that are the page, wherever a person comes from. */
export const isPage = (path: string): boolean =>
  path === "/" || path === "/index.html";

/**
 * Answers with a file of the page.
 *
 * @returns false when there is no such file
 */
export function servePage(
  request: IncomingMessage,
  response: ServerResponse,
  path: string,
  page: { files: StaticFiles; port: number; token: string },
): boolean {
  if (request.method !== "GET" && request.method !== "HEAD") return false;
  if (!isPage(path)) {
    if (!page.files.has(path)) return false;
    page.files.send(path, response);
    return true;
  }
  // Cookies know hosts and no ports: one for `localhost` would go to whatever else is developed there.
  if (/^localhost(:|$)/i.test(request.headers.host ?? "")) {
    response
      .writeHead(302, { Location: `http://127.0.0.1:${page.port}/` })
      .end();
    return true;
  }
  response.setHeader("Set-Cookie", setCookie(page.port, page.token));
  if (page.files.has("/index.html")) page.files.send("/index.html", response);
  else {
    response.writeHead(200, { "Content-Type": "text/html; charset=utf-8" });
    response.end(UNBUILT);
  }
  return true;
}

const UNBUILT =
  "<!doctype html><title>expose</title><p>The page was not built; <code>npm run build</code> does that. The API is there.</p>\n";
