// Something that ends once, and whoever wants to hear of it.

/** To be extended by, or held by, what can end. It does not end by itself. */
export class Closable {
  readonly #callbacks = new Set<() => void>();
  #closed = false;

  /** Whether it has ended. */
  get closed(): boolean {
    return this.#closed;
  }

  /** Calls back once when it has ended (at once when it already has). @returns a function that forgets it */
  onceClosed(callback: () => void): () => void {
    if (this.#closed) callback();
    else this.#callbacks.add(callback);
    return () => this.#callbacks.delete(callback);
  }

  /** Ends it, and tells all who wait. Idempotent. */
  markClosed(): void {
    if (this.#closed) return;
    this.#closed = true;
    // Nobody joins any more, and whom another one has made forget it in the meantime is not told.
    for (const callback of this.#callbacks) callback();
    this.#callbacks.clear();
  }
}
