// Something that a person starts and waits for.
import { useEffect, useRef, useState } from "preact/hooks";

export interface Task {
  readonly busy: boolean;
  /** Why the last one failed. */
  readonly error: unknown;
  /**
   * Begins, unless one is under way: whoever clicks twice wants it once.
   *
   * @param done hears what came of it, unless the component has gone: whoever has left it stays where they are
   */
  start<T>(work: () => Promise<T>, done?: (result: T) => void): void;
}

export function useTask(): Task {
  const [state, setState] = useState<{ busy: boolean; error: unknown }>(IDLE);
  const running = useRef(false);
  const gone = useRef(false);
  useEffect(
    () => () => {
      gone.current = true;
    },
    [],
  );
  const run = async <T>(
    work: () => Promise<T>,
    done: ((result: T) => void) | undefined,
  ): Promise<void> => {
    running.current = true;
    setState({ busy: true, error: undefined });
    try {
      const result = await work();
      if (!gone.current) done?.(result);
      setState(IDLE);
    } catch (error) {
      setState({ busy: false, error });
    } finally {
      running.current = false;
    }
  };
  return {
    ...state,
    start(work, done) {
      if (!running.current) void run(work, done);
    },
  };
}

const IDLE = { busy: false, error: undefined };
