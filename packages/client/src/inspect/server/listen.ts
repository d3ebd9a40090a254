// Listens on loopback and nowhere else: 127.0.0.1, and ::1 where it is free.
import net from "node:net";
import type { Server } from "node:http";

/** How many ports are tried beyond the wanted one. */
const MAX_TRIES = 64;
const MAX_PORT = 65_535;

/** Ports above 1023 that no browser opens (Fetch standard, "block bad port"): the page would be there and never seen. */
const BLOCKED_BY_BROWSERS: ReadonlySet<number> = new Set([
  1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061, 6000, 6566, 6665, 6666,
  6667, 6668, 6669, 6679, 6697, 10_080,
]);

/**
 * Makes servers listen on one port of both loopback addresses.
 *
 * @param create makes a server; called once an address
 * @param wanted first port to try, then the ones after it; 0 takes any
 * @param avoid ports that are somebody else's although nobody listens on them now
 * @returns undefined when no port of those is free
 */
export async function listenOnLoopback(
  create: () => Server,
  wanted: number,
  avoid: ReadonlySet<number>,
): Promise<{ port: number; servers: readonly Server[] } | undefined> {
  const last = wanted === 0 ? 0 : Math.min(wanted + MAX_TRIES, MAX_PORT);
  for (let port = wanted; port <= last; port++) {
    if (avoid.has(port) || BLOCKED_BY_BROWSERS.has(port)) continue;
    if (port !== 0 && (await isTaken(port))) continue;
    const v4 = create();
    if (!(await tryListen(v4, "127.0.0.1", port))) continue;
    const taken = (v4.address() as net.AddressInfo).port;
    const v6 = create();
    // A machine without IPv6 has no ::1.
    const both = await tryListen(v6, "::1", taken);
    return { port: taken, servers: both ? [v4, v6] : [v4] };
  }
  return undefined;
}

function tryListen(
  server: Server,
  host: string,
  port: number,
): Promise<boolean> {
  return new Promise((resolve) => {
    const onError = (): void => resolve(false);
    server.once("error", onError);
    server.listen({ host, port, exclusive: true }, () => {
      server.off("error", onError);
      resolve(true);
    });
  });
}

// Browsers dial ::1 first for `localhost`: what somebody else serves there would be taken for us. And a service that
// listens on every address does not keep us, on some systems, from taking loopback away from it.
async function isTaken(port: number): Promise<boolean> {
  const answers = await Promise.all(
    ["::1", "127.0.0.1"].map((host) => answersOn(host, port)),
  );
  return answers.includes(true);
}

/** On this machine an answer takes no time. Where none comes, a service is there and busy. */
const PATIENCE_MS = 500;

function answersOn(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect({ host, port });
    const settle = (answered: boolean): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(answered);
    };
    const timer = setTimeout(() => settle(true), PATIENCE_MS);
    socket.once("connect", () => settle(true));
    socket.once("error", () => settle(false));
  });
}
