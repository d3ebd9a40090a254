// An embedded SSH server with handlers that only take notes: what the ingress does is seen without the rest of the edge.
import type { Duplex } from "node:stream";
import ssh2, {
  type Client,
  type ClientChannel,
  type ConnectConfig,
} from "ssh2";
import { onTestFinished, vi } from "vitest";
import { createEmbeddedIngress } from "./embedded-ingress.ts";
import { generateHostKey } from "./host-key.ts";
import type { EmbeddedLimits } from "./options.ts";
import type { EmbeddedIngress } from "./embedded-ingress.ts";
import type { RequestObserver } from "../../access-log/record.ts";
import type { Forward, ForwardedConnection } from "../forward.ts";
import type { PlainSession, SessionHandlers } from "../handlers.ts";
import type { IngressSession } from "../ingress.ts";
import type { Identity } from "../../registry/identity.ts";
import { createLog } from "../../util/log.ts";
import type { SshKey } from "../../../../../test/harness/openssh-client.ts";

// Real ssh processes, on machines that do other things besides.
vi.setConfig({ testTimeout: 30_000 });

/** A tunnel that a plain client asked for. */
export interface OpenedPlain {
  readonly session: PlainSession;
  readonly forward: Forward;
  readonly name: string | undefined;
  observer: RequestObserver | undefined;
  closed: boolean;
}

/** An ingress under test and what it did. */
export interface EmbeddedUnderTest {
  readonly ingress: EmbeddedIngress;
  readonly port: number;
  /** Keys in base64 and whose they are; may be changed while it runs. */
  readonly users: Map<string, Identity>;
  readonly plain: readonly OpenedPlain[];
  readonly sessions: readonly IngressSession[];
  /** What was logged, in order. */
  readonly logged: readonly string[];
  /** Waits until the check holds. It is made whenever a handler was called or something was logged. */
  until(check: () => boolean): Promise<void>;
}

/** An identity without any special rights. */
export function testIdentity(id: string): Identity {
  return { id, names: undefined, maxTunnels: undefined, directPorts: [] };
}

/** Starts an ingress on a free port of loopback. The end of the test closes it. */
export async function useEmbeddedIngress(
  key: SshKey | undefined,
  options: {
    limits?: Partial<EmbeddedLimits>;
    handlers?: Partial<SessionHandlers>;
    hostKeys?: string[];
    /** Called while a plain tunnel opens. */
    opening?: (forward: Forward) => void;
  } = {},
): Promise<EmbeddedUnderTest> {
  const users = new Map<string, Identity>();
  if (key) users.set(key.blob.toString("base64"), testIdentity("alice"));
  const plain: OpenedPlain[] = [];
  const sessions: IngressSession[] = [];
  const logged: string[] = [];
  const watchers = new Set<() => void>();
  const changed = () => {
    for (const watch of watchers) watch();
  };
  const ingress = createEmbeddedIngress({
    host: "127.0.0.1",
    port: 0,
    hostKeys: options.hostKeys ?? [generateHostKey()],
    findIdentity: (blob) => users.get(blob.toString("base64")),
    formatTarget: (target) => target.replace(/=[^&]*/g, "=…"),
    handlers: {
      serve(session) {
        sessions.push(session);
        options.handlers?.serve?.(session);
        changed();
      },
      openPlain(session, forward, name) {
        const own = options.handlers?.openPlain?.(session, forward, name);
        options.opening?.(forward);
        const opened: OpenedPlain = {
          session,
          forward,
          name,
          observer: undefined,
          closed: false,
        };
        plain.push(opened);
        changed();
        return (
          own ?? {
            name: name ?? "random",
            url: `http://${name ?? "random"}.test`,
            observe: (observer) => (opened.observer = observer),
            close: () => {
              opened.closed = true;
              changed();
            },
          }
        );
      },
    },
    log: createLog({
      level: "debug",
      write: (line) => {
        logged.push(line.trimEnd());
        changed();
      },
    }),
    ...(options.limits && { limits: options.limits }),
  });
  await ingress.start();
  onTestFinished(() => ingress.close());

  return {
    ingress,
    port: ingress.address().port,
    users,
    plain,
    sessions,
    logged,
    until: (check) =>
      new Promise((resolve, reject) => {
        const timer = setTimeout(() => {
          watchers.delete(watch);
          reject(new Error(`Nothing for 20 s.\n${logged.join("\n")}`));
        }, 20_000);
        const watch = () => {
          if (!check()) return;
          clearTimeout(timer);
          watchers.delete(watch);
          resolve();
        };
        watchers.add(watch);
        watch();
      }),
  };
}

/** What ssh2 takes, with its authHandler's many forms left open. */
export type ClientConfig = Omit<ConnectConfig, "authHandler"> & {
  authHandler?: unknown;
};

/**
 * Logs in with ssh2's client. The end of the test closes it.
 *
 * @param prepare gets the client before it connects
 * @throws Error when the login fails
 */
export async function useSsh2Client(
  port: number,
  key: SshKey,
  config: ClientConfig = {},
  prepare?: (client: Client) => void,
): Promise<Client> {
  const client = new ssh2.Client();
  onTestFinished(() => void client.destroy());
  prepare?.(client);
  await new Promise<void>((resolve, reject) => {
    client.on("error", reject);
    client.once("ready", resolve);
    client.once("close", () => reject(new Error("closed before the login")));
    client.connect({
      host: "127.0.0.1",
      port,
      username: "tunnel",
      privateKey: key.privateKey,
      ...config,
    } as ConnectConfig);
  });
  return client;
}

/** A forward of the expose client's kind, and the channels that the edge opens through it. */
export interface TestForward {
  readonly forward: Forward;
  /** The next channel, at the client's end. */
  nextChannel(): Promise<ClientChannel>;
  /** Opens a connection and gives both of its ends. */
  connect(): Promise<TestConnection>;
}

/** A connection through a forward. */
export interface TestConnection {
  readonly edge: ForwardedConnection;
  readonly client: ClientChannel;
  /** Resolves when the client's end has emitted `close`. */
  readonly clientClosed: Promise<void>;
}

/** Resolves when the edge has dealt with all that the client sent before, and the client has its answers. */
export function fence(client: Client): Promise<void> {
  return new Promise((resolve) =>
    client.unforwardIn("nothing", 1, () => resolve()),
  );
}

/** Resolves when a stream of Node's own has closed, with or without an error. */
export function closeOf(stream: Duplex): Promise<void> {
  return new Promise((resolve) => {
    if (stream.closed) resolve();
    else stream.once("close", resolve);
  });
}

/** Asks for a forward and starts the control session, as the expose client does. */
export async function useControlForward(
  edge: EmbeddedUnderTest,
  client: Client,
): Promise<TestForward & { control: ClientChannel; session: IngressSession }> {
  const waiting: ((channel: ClientChannel) => void)[] = [];
  client.on("tcp connection", (_details, accept) => {
    const channel = accept();
    channel.on("error", () => {});
    waiting.shift()?.(channel);
  });
  const nextChannel = () =>
    new Promise<ClientChannel>((resolve) => waiting.push(resolve));
  const before = edge.sessions.length;
  const control = await new Promise<ClientChannel>((resolve, reject) =>
    client.exec("expose-control", (error, channel) =>
      error ? reject(error) : resolve(channel),
    ),
  );
  control.on("error", () => {});
  const port = await new Promise<number>((resolve, reject) =>
    client.forwardIn("127.0.0.1", 0, (error, got) =>
      error ? reject(error) : resolve(got),
    ),
  );
  await edge.until(() => edge.sessions.length > before);
  const session = edge.sessions[before]!;
  const forward = session.forward(port);
  if (!forward) throw new Error(`No forward on port ${port}.`);
  return {
    control,
    session,
    forward,
    nextChannel,
    async connect() {
      const channel = nextChannel();
      const connection = await forward.connect({
        address: "192.0.2.7",
        port: 4711,
      });
      const end = await channel;
      const clientClosed = new Promise<void>((resolve) =>
        end.once("close", () => resolve()),
      );
      return { edge: connection, client: end, clientClosed };
    },
  };
}
