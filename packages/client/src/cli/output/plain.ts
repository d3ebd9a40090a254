// Appended lines, for everything that is no live screen: pipes, logs, dumb terminals, `--quiet`.
import { escapeForTerminal } from "./escape.ts";
import { formatClock, formatDuration, formatRequest } from "./format.ts";
import type { Output } from "./output.ts";
import { explainUselessQr, renderQr } from "./qr.ts";

/** Where lines go: one call a line, without its newline. */
export interface PlainSinks {
  /** What was asked for: the URLs. */
  url(line: string): void;
  /** All else. */
  log(line: string): void;
}

/**
 * @param options.quiet the URLs alone; nothing is logged
 * @param options.now clock for the lines' times
 */
export function createPlainOutput(
  sinks: PlainSinks,
  options: { quiet?: boolean; now?: () => Date } = {},
): Output {
  const { quiet = false, now = () => new Date() } = options;
  // With one tunnel its name on every line would be noise.
  let several = false;

  const say = (text: string, tunnelName?: string): void => {
    if (quiet) return;
    const name = several && tunnelName !== undefined ? `${tunnelName}: ` : "";
    sinks.log(`${formatClock(now())} ${escapeForTerminal(name)}${text}`);
  };
  const safe = escapeForTerminal;

  return {
    ready(session, tunnels) {
      several = tunnels.length > 1;
      for (const tunnel of tunnels) sinks.url(safe(tunnel.url));
      for (const tunnel of tunnels)
        say(
          `${safe(tunnel.url)} -> ${safe(tunnel.upstream)} (through ${safe(session.server)})`,
          tunnel.name,
        );
    },
    inspecting: (url) => say(`inspector: ${safe(url)}`),
    request(tunnel, request) {
      if (request.dropped > 0)
        say(
          `(${request.dropped} more requests, too many to show)`,
          tunnel.name,
        );
      say(formatRequest(request), tunnel.name);
    },
    hint: (tunnel, { message, fix }) =>
      say(`hint: ${safe(message)} ${safe(fix)}`, tunnel.name),
    reconnecting: (tunnel, { attempt, delayMs, error }) =>
      say(
        `reconnecting in ${formatDuration(delayMs)} (attempt ${attempt}): ${safe(error.message)}`,
        tunnel.name,
      ),
    reconnected: (tunnel, { url, downMs }) =>
      say(
        `reconnected after ${formatDuration(downMs)}: ${safe(url)}`,
        tunnel.name,
      ),
    upstream: (tunnel, { state, reason }) =>
      say(
        state === "up"
          ? `${safe(tunnel.upstream)} answers again`
          : `${safe(tunnel.upstream)} does not answer${reason ? `: ${safe(reason)}` : ""}`,
        tunnel.name,
      ),
    closed: (tunnel, error) =>
      say(error ? `closed: ${safe(error.message)}` : "closed", tunnel.name),
    notice(text) {
      for (const line of text.split("\n")) say(safe(line));
    },
    qr(url) {
      if (quiet) return;
      const useless = explainUselessQr(url);
      if (useless) return say(safe(useless));
      for (const line of renderQr(url, false)) sinks.log(line);
    },
    async end() {},
    endNow() {},
  };
}
