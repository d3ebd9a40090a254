// The local service when nginx is not installed, and always for uploads, which nginx answers before it has read them.
// `node origin-server.mjs PORT FOLDER`: GET gives files of the folder, POST says how many bytes came (and their SHA-256).
import { createHash } from "node:crypto";
import { createReadStream, readFileSync, statSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";

const [port, folder] = process.argv.slice(2);
const SMALL_BYTES = 2 * 1024 * 1024;
const small = new Map();

const server = createServer((request, response) => {
  if (request.method === "POST") count(request, response);
  else serve(request, response);
});
server.keepAliveTimeout = 0;
server.listen(Number(port), "127.0.0.1", () => console.log("listening"));

function count(request, response) {
  const hash = request.headers["x-bench-hash"]
    ? createHash("sha256")
    : undefined;
  let bytes = 0;
  request.on("data", (chunk) => {
    bytes += chunk.length;
    hash?.update(chunk);
  });
  request.on("end", () =>
    response.end(`${bytes} bytes${hash ? ` ${hash.digest("hex")}` : ""}`),
  );
}

function serve(request, response) {
  const path = join(folder, new URL(request.url, "http://localhost").pathname);
  const known = small.get(path);
  if (known) {
    response.end(known);
    return;
  }
  const { size } = statSync(path, { throwIfNoEntry: false }) ?? {};
  if (size === undefined) {
    response.writeHead(404).end();
  } else if (size <= SMALL_BYTES) {
    small.set(path, readFileSync(path));
    response.end(small.get(path));
  } else {
    response.setHeader("content-length", size);
    createReadStream(path).pipe(response);
  }
}
