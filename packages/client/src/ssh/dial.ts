// Makes the TCP connection to a server, over IPv6 and IPv4 at once.
import { lookup, type LookupAddress } from "node:dns";
import { connect, isIP, type Socket } from "node:net";
import { ExposeError } from "../errors.ts";
import { formatHostPort } from "./server-address.ts";
import type { SshTarget } from "./target.ts";

/** Time that a TCP connection may take, unless the caller says otherwise. */
export const CONNECT_TIMEOUT_MS = 10_000;
// RFC 8305 section 8: the next address gets its chance after this long, and the earlier ones keep theirs. Node's own
// autoSelectFamily gives each address no longer than that, so it fails on lines with a slow round trip.
const NEXT_ADDRESS_MS = 250;
// TCP's own probes: they keep the entries of routers alive and end connections that nobody watches any more.
const KEEP_ALIVE_MS = 15_000;

/**
 * Connects to the server, or to the first jump host on the way to it. The socket sends small writes at once
 * (TCP_NODELAY) and half-closes never.
 *
 * @param signal ends the attempt
 * @param lookUp asks for addresses; for tests, which have no DNS
 * @throws ExposeError `server-unreachable`, with the system's error as `cause`; `aborted`
 */
export async function dial(
  target: SshTarget,
  signal: AbortSignal | undefined = undefined,
  timeoutMs: number = CONNECT_TIMEOUT_MS,
  lookUp: LookUp = lookup,
): Promise<Socket> {
  const { host, port, family } = firstHop(target);
  if (signal?.aborted) throw aborted(signal);
  const attempts = new Set<Socket>();
  return new Promise<Socket>((resolve, reject) => {
    let finished = false;
    let firstError: NodeJS.ErrnoException | undefined;
    let nextTimer: NodeJS.Timeout | undefined;
    const finish = (): boolean => {
      if (finished) return false;
      finished = true;
      clearTimeout(timer);
      clearTimeout(nextTimer);
      signal?.removeEventListener("abort", onAbort);
      return true;
    };
    const fail = (error: ExposeError): void => {
      if (!finish()) return;
      for (const socket of attempts) socket.destroy();
      reject(error);
    };
    const onAbort = (): void => fail(aborted(signal!));
    const timer = setTimeout(() => {
      const cause = Object.assign(
        new Error(`No answer within ${timeoutMs} ms.`),
        { code: "ETIMEDOUT" },
      );
      fail(unreachable(host, port, firstError ?? cause, timeoutMs));
    }, timeoutMs);
    signal?.addEventListener("abort", onAbort, { once: true });

    resolveAddresses(host, family, lookUp, (error, addresses) => {
      if (finished) return;
      if (error) return fail(unreachable(host, port, error, timeoutMs));
      const rest = interleave(addresses);
      const next = (): void => {
        clearTimeout(nextTimer);
        const address = rest.shift();
        if (!address) {
          if (attempts.size === 0)
            fail(
              unreachable(
                host,
                port,
                firstError ?? new Error("no address was found"),
                timeoutMs,
              ),
            );
          return;
        }
        attempt(address);
        if (rest.length > 0) nextTimer = setTimeout(next, NEXT_ADDRESS_MS);
      };
      const attempt = (address: string): void => {
        const socket = connect({
          host: address,
          port,
          noDelay: true,
          keepAlive: true,
          keepAliveInitialDelay: KEEP_ALIVE_MS,
        });
        attempts.add(socket);
        socket.on("error", (cause: NodeJS.ErrnoException) => {
          // After the connection was handed out its `close` tells whoever holds it.
          if (!attempts.delete(socket) || finished) return;
          // A server that says no tells more than an address family that leads nowhere.
          if (!firstError || cause.code === "ECONNREFUSED") firstError = cause;
          next();
        });
        socket.on("connect", () => {
          if (!finish()) return void socket.destroy();
          attempts.delete(socket);
          for (const other of attempts) other.destroy();
          resolve(socket);
        });
      };
      next();
    });
  });
}

/** The server that is dialled on the way to `target`: itself, or the first of its jump hosts. */
export function firstHop(target: SshTarget): SshTarget {
  return target.jump ? firstHop(target.jump) : target;
}

/** The error for a caller who has changed his mind. */
export function aborted(signal: AbortSignal): ExposeError {
  return new ExposeError("aborted", "The connection attempt was ended.", {
    cause: signal.reason,
  });
}

type LookUp = (
  host: string,
  options: { all: true; family: 0 | 4 | 6 },
  done: LookupDone,
) => void;

type LookupDone = (
  error: NodeJS.ErrnoException | null,
  addresses: LookupAddress[],
) => void;

function resolveAddresses(
  host: string,
  family: 0 | 4 | 6,
  lookUp: LookUp,
  done: LookupDone,
): void {
  const literal = isIP(host);
  if (literal) done(null, [{ address: host, family: literal }]);
  else lookUp(host, { all: true, family }, done);
}

// RFC 8305 section 4: the families take turns, beginning with the one that the resolver prefers.
function interleave(addresses: readonly LookupAddress[]): string[] {
  const first = addresses.filter(
    ({ family }) => family === addresses[0]?.family,
  );
  const second = addresses.filter(
    ({ family }) => family !== addresses[0]?.family,
  );
  return Array.from({ length: Math.max(first.length, second.length) })
    .flatMap((_, i) => [first[i], second[i]])
    .flatMap((entry) => (entry ? [entry.address] : []));
}

function unreachable(
  host: string,
  port: number,
  cause: NodeJS.ErrnoException,
  timeoutMs: number,
): ExposeError {
  const server = formatHostPort(host, port);
  return new ExposeError(
    "server-unreachable",
    `${server} cannot be reached: ${explain(host, port, cause, timeoutMs)}`,
    { cause },
  );
}

function explain(
  host: string,
  port: number,
  cause: NodeJS.ErrnoException,
  timeoutMs: number,
): string {
  switch (cause.code) {
    case "ENOTFOUND":
      return `no address is known for the name ${host}. Check its spelling, or add it to DNS.`;
    case "EAI_AGAIN":
      return `the name ${host} cannot be looked up right now. Check this machine's network.`;
    case "ECONNREFUSED":
      return `nothing listens on port ${port}. Check the port, and that the server is running.`;
    case "ETIMEDOUT":
      return `no answer within ${timeoutMs / 1_000} s. Check the address, the network, and that the server's firewall lets port ${port} in.`;
    case "EHOSTUNREACH":
    case "ENETUNREACH":
    case "EADDRNOTAVAIL":
      return `no network leads there (${cause.code}). Check this machine's network.`;
    default:
      return `${cause.code ?? cause.message}. Check the address and the network.`;
  }
}
