// Reads a .http file from disk, with the files that its bodies are in.
import { readFile, realpath } from "node:fs/promises";
import { dirname, resolve, sep } from "node:path";
import { ExposeError } from "../../errors.ts";
import { parseHttpFile, type FileRequest } from "./parse-http-file.ts";

/** A request with its body, wherever that stood. */
export type WholeRequest = Omit<FileRequest, "bodyFile">;

/** @throws ExposeError `http-file-invalid` */
export async function readHttpFile(path: string): Promise<WholeRequest[]> {
  const text = await read(path, path);
  const requests = parseHttpFile(text.toString(), path);
  return Promise.all(
    requests.map(async ({ bodyFile, ...request }) => ({
      ...request,
      body:
        bodyFile === undefined
          ? request.body
          : await readBody(path, bodyFile, request.line),
    })),
  );
}

// A file that somebody else wrote must not send a private key along: bodies are beside it, or below.
async function readBody(
  path: string,
  written: string,
  line: number,
): Promise<Buffer> {
  const folder = dirname(resolve(path));
  const place = `${path}:${line}: the body ${written}`;
  const file = resolve(folder, written);
  const [realFolder, realFile] = await Promise.all([
    realpath(folder),
    realpath(file).catch(() => file),
  ]);
  if (!realFile.startsWith(realFolder + sep))
    throw new ExposeError(
      "http-file-invalid",
      `${place} is not in the folder of the file.`,
    );
  return read(realFile, place);
}

async function read(path: string, name: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    throw new ExposeError(
      "http-file-invalid",
      code === "ENOENT"
        ? `${name} does not exist.`
        : `${name} cannot be read (${code ?? message}).`,
      { cause: error },
    );
  }
}
