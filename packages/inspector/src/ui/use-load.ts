// Loads something for a component, and drops what comes too late.
import { useCallback, useEffect, useState } from "preact/hooks";

export interface Loaded<T> {
  /** What came last; stays while something newer is on its way. */
  readonly value: T | undefined;
  readonly error: unknown;
  readonly loading: boolean;
  reload(): void;
}

/**
 * @param load is called anew whenever `key` changes
 * @param key what is loaded; the old value is shown no longer when it changes
 * @param version loads anew too, while the old value stays
 */
export function useLoad<T>(
  load: (signal: AbortSignal) => Promise<T>,
  key: string,
  version: string | number = 0,
): Loaded<T> {
  const [state, setState] = useState<{
    key: string;
    value: T | undefined;
    error: unknown;
    loading: boolean;
  }>({ key, value: undefined, error: undefined, loading: true });
  const [tries, setTries] = useState(0);
  useEffect(() => {
    const controller = new AbortController();
    setState((old) => ({
      key,
      value: old.key === key ? old.value : undefined,
      error: undefined,
      loading: true,
    }));
    load(controller.signal).then(
      (value) => {
        if (controller.signal.aborted) return;
        setState({ key, value, error: undefined, loading: false });
      },
      (error: unknown) => {
        if (controller.signal.aborted) return;
        setState((old) => ({ ...old, error, loading: false }));
      },
    );
    return () => controller.abort();
  }, [key, version, tries]);
  const reload = useCallback(() => setTries((count) => count + 1), []);
  // Between the change of the key and the effect, the state is still of the old one.
  return state.key === key
    ? { ...state, reload }
    : { value: undefined, error: undefined, loading: true, reload };
}
