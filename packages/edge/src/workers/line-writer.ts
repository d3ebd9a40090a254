// Writes the workers' lines of the access log to stdout, whole and one batch after the other. Files they append to themselves:
// the system puts each write behind the last one, whichever process it comes from.
import type { EdgeConfig } from "../config/schema.ts";
import { createSink, type Sink } from "../access-log/sink.ts";

/** Why lines were not written. */
export interface LinesFailure {
  readonly message: string;
  /** As the system has it: `EPIPE`. */
  readonly code?: string;
}

/** A queue of lines. */
export interface LineWriter {
  /** @returns when they were written; why they were not, or not all, if they could not be. Never rejects */
  write(text: string): Promise<LinesFailure | undefined>;
  /** Waits a moment for what is being written, and no longer: there may be nobody who reads. Idempotent. */
  close(): Promise<void>;
}

const CLOSE_MS = 1_000;

// Names that mean another file in each process: a worker has none of the primary's descriptors.
const OWN_DESCRIPTOR =
  /^\/(?:dev\/(?:stdout|stderr|fd\/\d+)|proc\/self\/fd\/\d+)$/;

/** Whether a worker sends its lines to the primary. */
export const writesThroughPrimary = ({
  file,
}: Pick<EdgeConfig["accessLog"], "file">): boolean =>
  file === "-" || OWN_DESCRIPTOR.test(file);

/** Builds the queue. @throws EdgeError `log-unwritable` when the log is a file that cannot be opened */
export function createLineWriter({
  file,
  format,
}: Pick<EdgeConfig["accessLog"], "file" | "format">): LineWriter {
  let last: Promise<unknown> = Promise.resolve();
  if (format === "off") return noLines;
  const sink = createSink(file);
  // Opened for its error alone; the operator should hear of it from the process that was started.
  if (!writesThroughPrimary({ file })) {
    sink.close();
    return noLines;
  }
  return {
    write(text) {
      const mine = last.then(() =>
        writeAll(sink, Buffer.from(text)).then(() => undefined, explain),
      );
      last = mine;
      return mine;
    },
    async close() {
      let timer: NodeJS.Timeout | undefined;
      const late = new Promise<boolean>((resolve) => {
        timer = setTimeout(resolve, CLOSE_MS, true);
      });
      const isLate = await Promise.race([last.then(() => false), late]);
      clearTimeout(timer);
      if (!isLate) sink.close();
    },
  };
}

const noLines: LineWriter = {
  write: () => Promise.resolve({ message: "The workers write to the file." }),
  close: () => Promise.resolve(),
};

async function writeAll(sink: Sink, bytes: Buffer): Promise<void> {
  let rest = bytes;
  while (rest.length > 0) {
    const written = await new Promise<number>((resolve, reject) => {
      sink.write(rest, (count, error) =>
        error ? reject(error) : resolve(count),
      );
    });
    rest = rest.subarray(written);
  }
}

const explain = ({ message, code }: NodeJS.ErrnoException): LinesFailure => ({
  message,
  ...(code !== undefined && { code }),
});
