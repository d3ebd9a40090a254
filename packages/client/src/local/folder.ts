// A folder as the local service: a web server for static files inside this process, which listens nowhere.
import {
  createServer,
  type IncomingMessage,
  type ServerResponse,
} from "node:http";
import { duplexPair, type Duplex } from "node:stream";
import { pipeline } from "node:stream/promises";
import { contentType } from "./content-type.ts";
import { planAnswer } from "./folder-answer.ts";
import { findFile, resolveFolder, type FoundFile } from "./folder-path.ts";

/** Serves one folder. */
export interface FolderServer {
  /** Opens a connection to the server. */
  connect(): Duplex;
  /** Cuts every connection. Idempotent. */
  close(): void;
}

/**
 * Serves a folder's files as they are at the moment of each request. A folder's page is its index.html; what is not
 * there is answered with 404.html of the top folder or a line of text. Files and folders whose names begin with a dot
 * are not served, nor is anything that a symbolic link leads to outside the folder.
 *
 * @param folder `~` stands for the home folder; relative to the working directory at the time of the call
 */
export function createFolderServer(folder: string): FolderServer {
  const root = resolveFolder(folder);
  const open = new Set<Duplex>();
  const server = createServer({ maxHeaderSize: MAX_HEAD_BYTES }, (req, res) => {
    answer(root, req, res).catch(() => {
      // The file system failed in some way that is neither "not there" nor "not allowed".
      if (res.headersSent) res.destroy();
      else sendText(res, 500, "The file cannot be read.");
    });
  });
  return {
    connect() {
      const [ours, theirs] = duplexPair();
      open.add(ours);
      // Each side of a pair lives on when the other one is destroyed.
      ours.on("close", () => {
        open.delete(ours);
        theirs.destroy();
      });
      theirs.on("close", () => ours.destroy());
      server.emit("connection", theirs);
      return ours;
    },
    close() {
      for (const stream of open) stream.destroy();
    },
  };
}

// Not less than an edge lets through; Node's own bound is 16 KiB.
const MAX_HEAD_BYTES = 64 * 1_024;

async function answer(
  root: string,
  req: IncomingMessage,
  res: ServerResponse,
): Promise<void> {
  if (req.method !== "GET" && req.method !== "HEAD") {
    res.setHeader("Allow", "GET, HEAD");
    return sendText(res, 405, "Only GET and HEAD are possible here.");
  }
  const found = await findFile(root, req.url ?? "/");
  if (found.kind === "redirect") {
    res.setHeader("Location", found.location);
    return sendText(res, 302, `See ${found.location}`);
  }
  if (found.kind === "file") return sendFile(req, res, found);
  const page = await findFile(root, "/404.html");
  if (page.kind === "file") return sendFile(req, res, page, 404);
  sendText(res, 404, "There is no such file.");
}

async function sendFile(
  req: IncomingMessage,
  res: ServerResponse,
  file: FoundFile,
  status?: 404,
): Promise<void> {
  try {
    const plan = planAnswer(
      status === undefined ? req.headers : {},
      req.method === "GET",
      file,
    );
    res.writeHead(status ?? plan.status, {
      ...plan.headers,
      "Content-Type": contentType(file.name),
      // The next request asks whether the file has changed: people serve folders that they are working on.
      "Cache-Control": "no-cache",
      "X-Content-Type-Options": "nosniff",
    });
    if (req.method === "HEAD" || plan.length === 0) return void res.end();
    const content = file.handle.createReadStream({
      start: plan.start,
      end: plan.start + plan.length - 1,
      autoClose: false,
    });
    await pipeline(content, res, { end: false });
    // A file that has become shorter: the length is out, and less than that must not look like all of it.
    if (content.bytesRead < plan.length) res.destroy();
    else res.end();
  } catch (error) {
    // The answer is cut off already: the visitor has left, or the disk failed in the middle.
    if (!res.destroyed) throw error;
  } finally {
    await file.handle.close();
  }
}

function sendText(res: ServerResponse, status: number, text: string): void {
  const body = `${text}\n`;
  res.writeHead(status, {
    "Content-Type": "text/plain; charset=utf-8",
    "Content-Length": Buffer.byteLength(body),
    "Cache-Control": "no-cache",
    "X-Content-Type-Options": "nosniff",
  });
  res.end(res.req.method === "HEAD" ? undefined : body);
}
