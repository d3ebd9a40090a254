// Keeps tunnels open and tells of them until somebody ends it: what `http`, `start` and `local` have in common.
import type { SessionLog } from "../options.ts";
import type { Session } from "../open-session.ts";
import type { Tunnel } from "../tunnel.ts";
import type { CommandContext, Flags } from "./command.ts";
import { createOutput } from "./output/create-output.ts";
import { follow, type Output, type SessionView } from "./output/output.ts";

/** What a command has opened. */
export interface OpenedTunnels {
  session: SessionView;
  tunnels: readonly Tunnel[];
  /** Says when the inspector is there, if there is to be one. */
  inspected?: Pick<Session, "inspectorUrl" | "on">;
  /** What the person should know about them, a sentence each. */
  notices?: readonly string[];
  /** Looks whether the local service answers. @returns why it does not. @throws anything, which is not told */
  look?: (signal: AbortSignal) => Promise<string | undefined>;
  /** Closes the tunnels and what carries them. Idempotent; never throws. */
  close(): Promise<void>;
}

/**
 * Opens tunnels and waits for their end.
 *
 * @param open is given a way to say something before anything is open
 * @returns 0 when the person ended it
 * @throws ExposeError what `open` throws, or what ended the last of the tunnels
 */
export async function keepOpen(
  { io, signal }: CommandContext,
  flags: Flags,
  open: (notice: (text: string) => void) => Promise<OpenedTunnels>,
): Promise<number> {
  const output = createOutput(flags, io);
  // However the process ends, the cursor comes back.
  const callOff = io.onExit(() => output.endNow());
  const closing = new AbortController();
  try {
    const opened = await open((text) => output.notice(text));
    try {
      for (const tunnel of opened.tunnels) follow(tunnel, output);
      output.ready(opened.session, opened.tunnels);
      tellOfInspector(
        opened.inspected,
        output,
        AbortSignal.any([signal, closing.signal]),
      );
      for (const text of opened.notices ?? []) output.notice(text);
      if (flags.qr) for (const { url } of opened.tunnels) output.qr(url);
      void tellOfService(opened, output, closing.signal);
      await untilClosed(opened, signal);
    } finally {
      closing.abort();
      await opened.close();
    }
  } finally {
    await output.end();
    callOff();
  }
  return 0;
}

/** Passes on what a login has to say. */
export const noticeLog = (notice: (text: string) => void): SessionLog => ({
  info: notice,
  warn: (sentence) => notice(`Warning: ${sentence}`),
});

function tellOfInspector(
  session: OpenedTunnels["inspected"],
  output: Output,
  over: AbortSignal,
): void {
  if (session?.inspectorUrl !== undefined)
    return output.inspecting(session.inspectorUrl);
  session?.on("inspecting", ({ url }) => {
    // It may be there just when nobody wants it any more.
    if (!over.aborted) output.inspecting(url);
  });
}

// A wrong port is the commonest mistake, and without this the first visitor would be the one to find it.
async function tellOfService(
  { look }: OpenedTunnels,
  output: Output,
  closing: AbortSignal,
): Promise<void> {
  const reason = await look?.(closing).catch(() => undefined);
  if (reason === undefined || closing.aborted) return;
  output.notice(
    `${reason} Visitors get an error page until the local service runs.`,
  );
}

async function untilClosed(
  opened: OpenedTunnels,
  signal: AbortSignal,
): Promise<void> {
  const close = (): void => void opened.close();
  if (signal.aborted) close();
  else signal.addEventListener("abort", close, { once: true });
  const ends = await Promise.allSettled(
    opened.tunnels.map(({ closed }) => closed),
  );
  signal.removeEventListener("abort", close);
  // What goes wrong while closing is of no interest to somebody who closes.
  if (signal.aborted) return;
  for (const end of ends) if (end.status === "rejected") throw end.reason;
}
