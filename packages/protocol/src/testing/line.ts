// A line in simulated time: bytes leave one after the other at its rate and arrive after its delay. Nothing is lost.

/** See the file's head. The way back is never full. */
export class Line {
  /** Milliseconds since the start. */
  now = 0;
  /** Bytes per millisecond. */
  rate: number;
  /** One way. */
  delayMs: number;
  #freeAt = 0;
  readonly #events: { at: number; happen: () => void }[] = [];

  constructor(rate: number, delayMs: number) {
    this.rate = rate;
    this.delayMs = delayMs;
  }

  /** How long what is sent now waits for what was sent before. */
  get queueMs(): number {
    return Math.max(0, this.#freeAt - this.now);
  }

  send(bytes: number, arrived: () => void): void {
    this.#freeAt = Math.max(this.#freeAt, this.now) + bytes / this.rate;
    this.#at(this.#freeAt + this.delayMs, arrived);
  }

  sendBack(arrived: () => void): void {
    this.#at(this.now + this.delayMs, arrived);
  }

  /** Lets time pass. @param tick called before each millisecond */
  run(ms: number, tick: () => void): void {
    const end = this.now + ms;
    while (this.now < end) {
      tick();
      const next = Math.min(end, Math.floor(this.now) + 1);
      while (this.#events.length > 0 && this.#events[0]!.at <= next) {
        const { at, happen } = this.#events.shift()!;
        this.now = Math.max(this.now, at);
        happen();
      }
      this.now = next;
    }
  }

  #at(at: number, happen: () => void): void {
    let place = this.#events.length;
    while (place > 0 && this.#events[place - 1]!.at > at) place--;
    this.#events.splice(place, 0, { at, happen });
  }
}
