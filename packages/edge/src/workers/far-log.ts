// What a worker has to write down. The primary writes for all, so that lines are whole and whoever gave the edge a log of
// their own gets all.
import type { Sink } from "../access-log/sink.ts";
import { logThrough, type Log, type LogLevel } from "../util/log.ts";
import type { Channel } from "./channel.ts";
import type { LinesFailure } from "./line-writer.ts";
import type { ToPrimary } from "./messages.ts";

/** The edge's own log. @param loudest the last of the levels that the primary hears */
export const createFarLog = (
  channel: Pick<Channel<ToPrimary>, "tell">,
  loudest: LogLevel,
): Log =>
  logThrough(loudest, (level, message, fields) => {
    const shown = Object.fromEntries(
      Object.entries(fields).map(([key, value]) => [
        key,
        value instanceof Error ? value.message : value,
      ]),
    );
    channel.tell({ t: "log", level, message, fields: shown });
  });

/** The access log's way to stdout. */
export function createFarSink(channel: Pick<Channel<ToPrimary>, "ask">): Sink {
  async function writeFar(
    bytes: Buffer,
    done: (written: number, error?: Error) => void,
  ): Promise<void> {
    const failure = await channel
      .ask<LinesFailure | undefined>({ t: "lines", text: bytes.toString() })
      // The primary is gone, and so is this process.
      .catch((error: Error): LinesFailure => error);
    if (failure)
      done(
        0,
        Object.assign(new Error(failure.message), { code: failure.code }),
      );
    else done(bytes.length);
  }
  return {
    write: (bytes, done) => void writeFar(bytes, done),
    reopen: () => undefined,
    close() {},
  };
}
