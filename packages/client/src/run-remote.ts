// Runs a command on the server with its streams passed through, as `ssh host command` does.
import type { Readable, Writable } from "node:stream";
import { finished } from "node:stream/promises";
import { ExposeError } from "./errors.ts";
import type { SessionOptions } from "./options.ts";
import { createConnector } from "./ssh/connector.ts";
import type { RemoteCommand, SshConnection } from "./ssh/ssh-connection.ts";

/** The command's streams on this side. None of them is closed. */
export interface RemoteStreams {
  stdin: Readable;
  stdout: Writable;
  stderr: Writable;
}

/** How to run it. */
export interface RunRemoteOptions extends SessionOptions {
  server: string;
  /** For the server's shell. */
  command: string;
  streams: RemoteStreams;
  /** What the command is sent when `signal` fires, named without SIG; it decides what to do about it. Default: INT. */
  interrupt?: (reason: unknown) => string;
}

/** How it ended: a status, or the name of a signal (`SIGTERM`). */
export type RemoteEnd = { code: number } | { signal: string };

/**
 * @throws ExposeError `exec-failed` when the server does not start it, `connection-lost` when it is not known how it
 * ended, and what connecting throws
 */
export async function runRemote(options: RunRemoteOptions): Promise<RemoteEnd> {
  const { signal = new AbortController().signal } = options;
  const connector = await createConnector(options);
  const connection = await connector.connect(signal);
  try {
    const remote = await connection.exec(options.command);
    const interrupt = (): void =>
      remote.signal(options.interrupt?.(signal.reason) ?? "INT");
    if (signal.aborted) interrupt();
    signal.addEventListener("abort", interrupt, { once: true });
    try {
      return await passThrough(remote, options.streams, connection);
    } finally {
      signal.removeEventListener("abort", interrupt);
    }
  } finally {
    await connection.close();
  }
}

async function passThrough(
  remote: RemoteCommand,
  { stdin, stdout, stderr }: RemoteStreams,
  connection: SshConnection,
): Promise<RemoteEnd> {
  // A command that ends without having read everything: what is still written to it is nobody's loss.
  remote.on("error", () => {});
  stdin.pipe(remote);
  remote.pipe(stdout, { end: false });
  remote.stderr.pipe(stderr, { end: false });
  const [end] = await Promise.all([
    remote.exited,
    // Errors show in how the command ended.
    finished(remote, { writable: false }).catch(() => {}),
    finished(remote.stderr).catch(() => {}),
  ]);
  stdin.unpipe(remote);
  if (end.signal !== undefined) return { signal: end.signal };
  if (end.code !== undefined) return { code: end.code };
  throw (
    (await Promise.race([connection.closed, Promise.resolve(undefined)])) ??
    new ExposeError(
      "connection-lost",
      "The connection ended before the server said how the command ended. Run it again.",
    )
  );
}
