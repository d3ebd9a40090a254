// Serves the page's own files. The list of them is made once: no path of a request ever becomes a path on disk.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { extname, join, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";
import type { ServerResponse } from "node:http";

/** Files that are served, by their paths: `/index.html`. */
export interface StaticFiles {
  has(path: string): boolean;
  /** Answers with a file that is there. */
  send(path: string, response: ServerResponse): void;
}

const TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".json": "application/json; charset=utf-8",
  ".svg": "image/svg+xml",
  ".png": "image/png",
  ".ico": "image/x-icon",
  ".woff2": "font/woff2",
  ".txt": "text/plain; charset=utf-8",
};

/**
 * Lists a folder. Files of a type that the page has no use for (source maps, say) are left out.
 *
 * @param folder absent when the page was not built: then nothing is there
 */
export function openStaticFiles(folder: string | undefined): StaticFiles {
  const files = new Map<string, string>();
  if (folder !== undefined)
    for (const entry of readdirSync(folder, {
      withFileTypes: true,
      recursive: true,
    })) {
      if (!entry.isFile() || !Object.hasOwn(TYPES, extname(entry.name)))
        continue;
      const file = join(entry.parentPath, entry.name);
      files.set(`/${relative(folder, file).split(sep).join("/")}`, file);
    }
  const read = new Map<string, Buffer>();
  return {
    has: (path) => files.has(path),
    send(path, response) {
      const file = files.get(path)!;
      const bytes = read.get(path) ?? readFileSync(file);
      read.set(path, bytes);
      response.writeHead(200, {
        "Content-Type": TYPES[extname(file)]!,
        "Content-Length": bytes.length,
        // Names below /assets/ change with their content.
        "Cache-Control": path.startsWith("/assets/")
          ? "private, max-age=31536000, immutable"
          : "no-store",
      });
      response.end(bytes);
    },
  };
}

/** The folder that the page was built into: beside the bundle, or where the sources find it. */
export function findPageFolder(): string | undefined {
  return ["./inspector/", "../../../dist/inspector/"]
    .map((path) => fileURLToPath(new URL(path, import.meta.url)))
    .find((folder) => existsSync(join(folder, "index.html")));
}
