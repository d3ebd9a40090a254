// Which server a session goes to: what the caller says, else EXPOSE_SERVER, else the config file.
import { ExposeError } from "./errors.ts";
import type { SessionOptions } from "./options.ts";

/** @throws ExposeError `server-missing`, or what is wrong with the config file */
export async function resolveServer(options: SessionOptions): Promise<string> {
  const server = options.server ?? process.env["EXPOSE_SERVER"];
  if (server) return server;
  throw new ExposeError(
    "server-missing",
    "No server is configured. Run `expose login user@host` once, or give --server user@host.",
  );
}
