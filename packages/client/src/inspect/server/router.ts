// Finds the route of a request. Paths are compared segment by segment, each decoded once.
import type { IncomingMessage, ServerResponse } from "node:http";
import { ApiError } from "./api-error.ts";

/** A request with what the router found out about it. */
export interface RouteContext {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** Values of the pattern's `:names`, decoded. */
  readonly params: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
  /** Whether the caller proved to know the token; always true where a route asks for it. */
  readonly trusted: boolean;
}

/** One route. */
export interface Route {
  readonly method: "GET" | "POST" | "DELETE";
  /** `/api/v1/exchanges/:id`. */
  readonly pattern: string;
  /** `open` answers without the token; it shows no more than scripts for ngrok need. */
  readonly access: "token" | "open";
  handle(context: RouteContext): Promise<void> | void;
}

/** A route that was found. */
export interface RouteMatch {
  readonly route: Route;
  readonly params: Readonly<Record<string, string>>;
}

/** Reads a request target in origin form (RFC 9112 section 3.2.1). @throws ApiError `request-invalid` */
export function parseTarget(target: string): {
  segments: readonly string[];
  query: URLSearchParams;
} {
  // The absolute form would name a host beside Host, "*" and authority name no resource.
  if (!target.startsWith("/") || target.startsWith("//"))
    throw new ApiError(
      "request-invalid",
      "The request target must be a path, as in GET /api/v1/status.",
    );
  const mark = target.indexOf("?");
  const path = mark < 0 ? target : target.slice(0, mark);
  try {
    return {
      segments: path.slice(1).split("/").map(decodeURIComponent),
      query: new URLSearchParams(mark < 0 ? "" : target.slice(mark + 1)),
    };
  } catch {
    throw new ApiError(
      "request-invalid",
      "The path has a % that begins no escape.",
    );
  }
}

/**
 * Picks a route.
 *
 * @returns undefined when no pattern matches
 * @throws ApiError `method-unsupported` when one does, and not for this method
 */
export function findRoute(
  routes: readonly Route[],
  method: string,
  segments: readonly string[],
): RouteMatch | undefined {
  const wanted = method === "HEAD" ? "GET" : method;
  // ngrok's own examples ask for /api/.
  const path = segments.at(-1) === "" ? segments.slice(0, -1) : segments;
  const others = new Set<string>();
  for (const route of routes) {
    const params = match(route.pattern, path);
    if (!params) continue;
    if (route.method === wanted) return { route, params };
    others.add(route.method);
  }
  if (others.size === 0) return undefined;
  throw new ApiError(
    "method-unsupported",
    `${method} is not supported here; ${[...others].join(", ")} is.`,
    { allow: [...others] },
  );
}

function match(
  pattern: string,
  segments: readonly string[],
): Record<string, string> | undefined {
  const parts = pattern.slice(1).split("/");
  if (parts.length !== segments.length) return undefined;
  const params: Record<string, string> = {};
  for (const [i, part] of parts.entries()) {
    const segment = segments[i]!;
    if (part.startsWith(":")) params[part.slice(1)] = segment;
    else if (part !== segment) return undefined;
  }
  return params;
}
