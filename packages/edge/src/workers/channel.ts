// Messages between the primary and one worker: some are told, some are asked and get an answer.
import { ControlRefusal } from "../refusal.ts";
import type { ControlErrorCode } from "@expose/protocol";

/** The process' end of what Node puts between a process and its child. */
export interface ChannelPort {
  /** Hands a message over; `done` hears whether it left. */
  send(message: object, done: (error: Error | null) => void): void;
}

/** One end. */
export interface Channel<Out> {
  /** Messages arrive in the order in which they were told and asked. */
  tell(message: Out): void;
  /** @throws (rejects with) what the other end threw: a ControlRefusal as such. ChannelClosed when it is gone */
  ask<Answer>(message: Out): Promise<Answer>;
  /** Takes what has arrived. Never throws. */
  receive(wire: unknown): void;
  /** The other end is gone: whoever waits for an answer hears it. Idempotent. */
  close(): void;
}

/** The other end is gone. */
export class ChannelClosed extends Error {
  override name = "ChannelClosed";
}

interface Wire {
  /** A message. */
  readonly m?: unknown;
  /** Number of a question. */
  readonly n?: number;
  /** Number of the question that this answers; `v` is the answer, `e` why there is none. */
  readonly re?: number;
  readonly v?: unknown;
  readonly e?: { readonly code?: ControlErrorCode; readonly message: string };
}

interface Waiting {
  resolve(value: never): void;
  reject(error: Error): void;
}

/**
 * Builds one end.
 *
 * @param handle takes a message; what it gives back, or resolves with, is the answer
 * @param failed hears why something that was told could not be taken; whoever asks hears it in place of an answer
 */
export function createChannel<Out, In>(
  port: ChannelPort,
  handle: (message: In) => unknown,
  failed: (error: unknown) => void,
): Channel<Out> {
  const waiting = new Map<number, Waiting>();
  let last = 0;
  let closed = false;

  // One that does not leave has nobody to hear it: the end of the other process tells the rest.
  const send = (wire: Wire): void => {
    if (!closed) port.send(wire, () => {});
  };

  async function answer(n: number, message: In): Promise<void> {
    try {
      send({ re: n, v: await handle(message) });
    } catch (error) {
      send({
        re: n,
        e:
          error instanceof ControlRefusal
            ? { code: error.code, message: error.message }
            : {
                message: error instanceof Error ? error.message : String(error),
              },
      });
    }
  }

  async function take({ m, n, re, v, e }: Wire): Promise<void> {
    if (re !== undefined) settle(re, v, e);
    else if (n !== undefined) await answer(n, m as In);
    else await handle(m as In);
  }

  function settle(re: number, v: unknown, e: Wire["e"]): void {
    const question = waiting.get(re);
    waiting.delete(re);
    if (e)
      question?.reject(
        e.code ? new ControlRefusal(e.code, e.message) : new Error(e.message),
      );
    else question?.resolve(v as never);
  }

  return {
    tell: (message) => send({ m: message }),
    ask: (message) =>
      new Promise((resolve, reject) => {
        if (closed) return reject(new ChannelClosed("The process is gone."));
        const n = ++last;
        waiting.set(n, { resolve, reject });
        send({ m: message, n });
      }),
    receive: (wire) => void take(wire as Wire).catch(failed),
    close() {
      closed = true;
      for (const { reject } of waiting.values())
        reject(new ChannelClosed("The process is gone."));
      waiting.clear();
    },
  };
}
