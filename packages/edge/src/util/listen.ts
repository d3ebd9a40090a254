// Begins to listen, or says in words why that cannot be.
import { once } from "node:events";
import type { AddressInfo, Server } from "node:net";
import { EdgeError } from "../errors.ts";

/** Where something listens. */
export interface ListeningAddress {
  readonly host: string;
  /** The real one, where 0 was asked for. */
  readonly port: number;
}

/**
 * Begins to listen on an address. The server needs an 'error' listener of its own for what comes later.
 *
 * @param what the server in words, for the message: `visitors' HTTP`
 * @param key where the address is configured, for the message: `listen`
 * @throws EdgeError `listen-failed`
 */
export async function listen(
  server: Server,
  { host, port }: ListeningAddress,
  what: string,
  key: string,
): Promise<ListeningAddress> {
  try {
    server.listen({ host, port });
    await once(server, "listening");
  } catch (error) {
    throw listenFailed({ host, port }, what, key, error);
  }
  const address = server.address() as AddressInfo;
  return { host: address.address, port: address.port };
}

/** Why a server could not listen, and what to do; for those that listen by themselves. See listen(). */
export function listenFailed(
  { host, port }: ListeningAddress,
  what: string,
  key: string,
  cause: unknown,
): EdgeError {
  const { code } = cause as NodeJS.ErrnoException;
  const address = `${host.includes(":") ? `[${host}]` : host}:${port}`;
  return new EdgeError(
    "listen-failed",
    `Cannot listen on ${address} for ${what}: ${reasons.get(code ?? "") ?? code ?? String(cause)}. Change ${key}, or free the address.`,
    { cause },
  );
}

const reasons = new Map([
  ["EADDRINUSE", "another process listens there (`ss -ltnp` shows which)"],
  ["EADDRNOTAVAIL", "this machine has no such address"],
  ["EACCES", "ports below 1024 need CAP_NET_BIND_SERVICE"],
  ["ENOTFOUND", "the host name leads nowhere"],
  ["EAI_AGAIN", "the host name cannot be looked up now"],
  ["EAFNOSUPPORT", "this machine has no network of that kind"],
]);
