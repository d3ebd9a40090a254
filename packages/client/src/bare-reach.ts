// Whether a port that sshd forwards can be reached from outside, and if not, whose doing it is. Looks from two sides:
// connects as a visitor would, and reads on the server what the port was bound to.
import { connect } from "node:net";
import type { Duplex } from "node:stream";
import { EDGE_HELLO } from "./ssh/find-edge.ts";

/** What a connection from here to the server's port met. */
export type Knock =
  /** It came back to us through the forward. */
  | "through"
  /** Something accepted it, and it did not come through the forward. */
  | "elsewhere"
  | "refused"
  | "silent"
  /** The name does not resolve here, or there is no route. */
  | "unroutable";

/** Which of the server's addresses listen on the port. */
export type Binding = "everywhere" | "loopback" | "other" | "unknown";

/** See the file's head. */
export interface BareReach {
  knock: Knock;
  binding: Binding;
}

const KNOCK_TIMEOUT_MS = 3_000;
// A connection that came through is announced on the SSH connection, which may lag behind by a round trip.
const ARRIVAL_TIMEOUT_MS = 1_000;

/** A connection to the port, as a visitor would make it. */
export interface KnockInProgress {
  /** Where it comes from, as far as address translation leaves that alone; undefined before it has set out. */
  readonly localPort: number | undefined;
  /** To be called when a connection comes through the forward. */
  arrived(): void;
  readonly met: Promise<Knock>;
}

/** Connects to the port and hangs up. Never rejects. */
export function startKnock(
  host: string,
  port: number,
  signal: AbortSignal,
): KnockInProgress {
  const socket = connect({ host, port, signal });
  let finish!: (result: Knock) => void;
  let timer: NodeJS.Timeout;
  let connected = false;
  let hasArrived = false;
  const met = new Promise<Knock>((resolve) => {
    finish = (result) => {
      clearTimeout(timer);
      socket.destroy();
      resolve(result);
    };
  });
  timer = setTimeout(() => finish("silent"), KNOCK_TIMEOUT_MS);
  socket.on("connect", () => {
    connected = true;
    if (hasArrived) return finish("through");
    clearTimeout(timer);
    timer = setTimeout(() => finish("elsewhere"), ARRIVAL_TIMEOUT_MS);
  });
  socket.on("error", (error: NodeJS.ErrnoException) =>
    finish(meetingOf(error.code)),
  );
  return {
    get localPort() {
      return socket.localPort;
    },
    arrived() {
      hasArrived = true;
      if (connected) finish("through");
    },
    met,
  };
}

function meetingOf(code: string | undefined): Knock {
  switch (code) {
    case "ECONNREFUSED":
    case "ECONNRESET":
      return "refused";
    case "ETIMEDOUT":
      return "silent";
    default:
      return "unroutable";
  }
}

/**
 * Command for the server that waits for a line and then prints its listening sockets. One channel for both: it is
 * opened before the forward, because an exec'd session is what makes sshd switch Nagle's algorithm off.
 */
export const LISTENERS_COMMAND =
  "exec sh -c 'read -r _; cat /proc/net/tcp /proc/net/tcp6 2>/dev/null'";

const LISTENERS_TIMEOUT_MS = 3_000;
const MAX_LISTENERS_BYTES = 4 * 1024 * 1024;

/**
 * Asks a running {@link LISTENERS_COMMAND} what `port` is bound to. `unknown` where there is no Linux or no shell.
 * Destroys the channel, unless an edge answers in place of the command: an edge grants ports to those alone who keep a
 * session with it.
 */
export function readBinding(channel: Duplex, port: number): Promise<Binding> {
  return new Promise((resolve) => {
    let text = "";
    const finish = (): void => {
      clearTimeout(timer);
      channel.destroy();
      resolve(parseBinding(text, port));
    };
    const timer = setTimeout(finish, LISTENERS_TIMEOUT_MS);
    channel.on("data", (chunk: Buffer) => {
      if (isEdge(text)) return;
      text += chunk.toString("latin1");
      if (isEdge(text)) {
        clearTimeout(timer);
        // Its sshd binds granted ports so.
        resolve("everywhere");
      }
      if (text.length > MAX_LISTENERS_BYTES) finish();
    });
    channel.on("end", finish);
    channel.on("close", finish);
    channel.on("error", finish);
    // A line like any other to the command.
    channel.write(EDGE_HELLO);
  });
}

// It speaks JSON from the beginning, and no list of sockets begins with a brace.
const isEdge = (text: string): boolean => text.startsWith("{");

/** Reads the form of Linux's /proc/net/tcp and tcp6 (proc(5)): addresses in host byte order, state 0A listens. */
export function parseBinding(text: string, port: number): Binding {
  const hexPort = port.toString(16).toUpperCase().padStart(4, "0");
  const addresses = [
    ...text.matchAll(
      /^ *\d+: ([0-9A-F]{8}|[0-9A-F]{32}):([0-9A-F]{4}) \S+ 0A /gm,
    ),
  ]
    .filter((match) => match[2] === hexPort)
    .map((match) => match[1]!);
  if (addresses.length === 0) return "unknown";
  if (addresses.some((address) => /^0+$/.test(address))) return "everywhere";
  return addresses.every((address) => LOOPBACK.has(address))
    ? "loopback"
    : "other";
}

// 127.0.0.1 and ::1 on little-endian machines and on the others.
const LOOPBACK: ReadonlySet<string> = new Set([
  "0100007F",
  "7F000001",
  "00000000000000000000000001000000",
  "00000000000000000000000000000001",
]);

/**
 * Says why visitors do not reach the port and what to do, in whole sentences; undefined when they do.
 *
 * @param host the server, as visitors would write it
 */
export function explainReach(
  { knock: met, binding }: BareReach,
  host: string,
  port: number,
): string | undefined {
  if (met === "through") return undefined;
  const gateway = `sshd bound port ${port} to the server's own loopback, so only the server itself reaches it. Write \`GatewayPorts clientspecified\` into its sshd_config and reload sshd.`;
  const firewall = `The server listens on port ${port}, and a connection from here ${meetings[met]}: a firewall is in the way. Open TCP port ${port} on the server (ufw allow ${port}/tcp, or so) and in the provider's own firewall.`;
  if (met === "elsewhere")
    return `Something else than this tunnel answers at ${host}:${port}${binding === "loopback" ? `, and ${lowerFirst(gateway)}` : ". Choose another --remote-port."}`;
  if (binding === "loopback") return gateway;
  if (binding === "everywhere") return firewall;
  return `A connection from here to ${host}:${port} ${meetings[met]}. Either sshd bound the port to the server's own loopback (write \`GatewayPorts clientspecified\` into its sshd_config and reload sshd), or a firewall is in the way (open TCP port ${port}).`;
}

const meetings: Readonly<Record<Knock, string>> = {
  through: "came through",
  elsewhere: "met something else",
  refused: "was refused",
  silent: "got no answer",
  unroutable: "found no way there",
};

const lowerFirst = (text: string): string =>
  text.charAt(0).toLowerCase() + text.slice(1);
