// Who waits for which answer on a control channel.
import type { EdgeMessage } from "@expose/protocol";
import type { ExposeError } from "../errors.ts";

/** See the file's head. */
export interface AwaitedAnswers {
  /**
   * Waits for the answer that settle() is given under the same key.
   * @throws ExposeError what `onTimeout` makes when it does not come in time, or what fail() was given
   */
  wait(
    key: string,
    timeoutMs: number,
    onTimeout: () => ExposeError,
  ): Promise<EdgeMessage>;
  /** Hands an answer to whoever waits for it; one that nobody waits for is left out. */
  settle(key: string, message: EdgeMessage): void;
  /** Tells whoever waits for it that there will be none. */
  reject(key: string, error: ExposeError): void;
  /** Ends all waiting, also what begins later. The first error counts. */
  fail(error: ExposeError): void;
  /** What fail() was given. */
  readonly failure: ExposeError | undefined;
}

/** Nobody waits yet. */
export function createAwaitedAnswers(): AwaitedAnswers {
  const waiting = new Map<string, Waiter>();
  let failure: ExposeError | undefined;

  function take(key: string): Waiter | undefined {
    const waiter = waiting.get(key);
    waiting.delete(key);
    return waiter;
  }

  return {
    get failure() {
      return failure;
    },
    wait(key, timeoutMs, onTimeout) {
      if (failure) return Promise.reject(failure);
      return new Promise((resolve, reject) => {
        const timer = setTimeout(() => {
          waiting.delete(key);
          reject(onTimeout());
        }, timeoutMs);
        waiting.set(key, {
          resolve(message) {
            clearTimeout(timer);
            resolve(message);
          },
          reject(error) {
            clearTimeout(timer);
            reject(error);
          },
        });
      });
    },
    settle: (key, message) => take(key)?.resolve(message),
    reject: (key, error) => take(key)?.reject(error),
    fail(error) {
      failure ??= error;
      for (const waiter of waiting.values()) waiter.reject(error);
      waiting.clear();
    },
  };
}

interface Waiter {
  resolve(message: EdgeMessage): void;
  reject(error: ExposeError): void;
}
