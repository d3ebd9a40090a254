// A value that components follow.
import { useLayoutEffect, useState } from "preact/hooks";

/** Holds a value and tells those who subscribed of each new one. */
export class Observable<T extends object> {
  #value: T;
  readonly #listeners = new Set<(value: T) => void>();

  constructor(value: T) {
    this.#value = value;
  }

  get value(): T {
    return this.#value;
  }

  set(value: T): void {
    this.#value = value;
    for (const listener of [...this.#listeners]) listener(value);
  }

  update(changes: Partial<T>): void {
    this.set({ ...this.#value, ...changes });
  }

  /** @returns a function that ends the subscription */
  subscribe(listener: (value: T) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}

/** The present value; the component renders anew whenever it changes. */
export function useObservable<T extends object>(observable: Observable<T>): T {
  const [value, setValue] = useState(observable.value);
  useLayoutEffect(() => {
    // It may have changed between rendering and now.
    setValue(observable.value);
    return observable.subscribe(setValue);
  }, [observable]);
  return value;
}
