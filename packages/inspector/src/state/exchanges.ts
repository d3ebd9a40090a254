// The list of exchanges that the page holds: what the API has, kept up by its events, filtered by the API.
import type { ExchangePage, ExchangeSummary } from "@expose/protocol";
import { ApiError, call } from "../api/call.ts";
import { exchangesPath, listPath } from "../api/paths.ts";
import { Observable } from "../ui/observable.ts";
import { mergeRows } from "./merge.ts";

const PAGE_ROWS = 500;
/** About 15 MB of summaries. Older ones are asked for again when somebody scrolls down to them. */
const MOST_ROWS = 20_000;
/** Events are gathered so long before the list is drawn anew: a client may tell of thousands a second. */
const GATHER_MS = 80;
/** Where events do not say enough, the API is asked for what is new no more often. */
const REFRESH_MS = 400;

export interface ExchangesState {
  /** Newest first. */
  readonly rows: readonly ExchangeSummary[];
  readonly filter: string;
  readonly filterError: ApiError | undefined;
  /** Why the list could not be loaded. */
  readonly error: unknown;
  readonly loading: boolean;
  /** Whether the API was heard at least once. */
  readonly loaded: boolean;
  /** Whether there are older ones. */
  readonly more: boolean;
  readonly paused: boolean;
  /** How many came while the list was paused. */
  readonly held: number;
}

/** Keeps the list. One for the page. */
export class Exchanges {
  readonly state = new Observable<ExchangesState>({
    rows: [],
    filter: "",
    filterError: undefined,
    error: undefined,
    loading: false,
    loaded: false,
    more: false,
    paused: false,
    held: 0,
  });
  #next: string | undefined;
  /** Grows with each load from the start: answers to earlier ones are dropped. */
  #generation = 0;
  #reloading = false;
  #gathered = new Map<string, ExchangeSummary>();
  #held = new Map<string, ExchangeSummary>();
  #gatherTimer: ReturnType<typeof setTimeout> | undefined;
  #refreshTimer: ReturnType<typeof setTimeout> | undefined;
  #refreshMs = REFRESH_MS;
  /** More came while the API was being asked, which it may not have had yet. */
  #refreshAgain = false;

  /** Loads the newest page anew and keeps what is shown until it is there. Also after the connection was lost. */
  async reload(): Promise<void> {
    const generation = ++this.#generation;
    this.#reloading = true;
    this.#gathered.clear();
    this.#held.clear();
    this.state.update({ loading: true, held: 0 });
    try {
      const page = await this.#fetchPage();
      if (generation !== this.#generation) return;
      this.#reloading = false;
      this.#next = page.next;
      this.state.update({
        // What came while we waited is in `#gathered`, and drawn next.
        rows: page.items,
        more: page.next !== undefined,
        error: undefined,
        filterError: undefined,
        loading: false,
        loaded: true,
      });
    } catch (error) {
      if (generation !== this.#generation) return;
      this.#reloading = false;
      const isFilter =
        error instanceof ApiError && error.code === "filter-invalid";
      this.state.update({
        loading: false,
        ...(isFilter
          ? { filterError: error, rows: [], more: false, error: undefined }
          : { error }),
      });
    }
  }

  /** Loads older ones behind those that are there. */
  async loadMore(): Promise<void> {
    const { loading, more } = this.state.value;
    if (loading || !more) return;
    const generation = this.#generation;
    this.state.update({ loading: true });
    try {
      const page = await this.#fetchPage(this.#next);
      if (generation !== this.#generation) return;
      this.#next = page.next;
      this.state.update({
        rows: mergeRows(this.state.value.rows, page.items),
        more: page.next !== undefined,
        error: undefined,
        loading: false,
      });
    } catch (error) {
      if (generation !== this.#generation) return;
      this.state.update({ error, loading: false });
    }
  }

  /** Shows what matches alone; an empty filter shows all. */
  setFilter(filter: string): void {
    if (filter === this.state.value.filter && !this.state.value.filterError)
      return;
    this.state.update({ filter, filterError: undefined });
    void this.reload();
  }

  /** An event told of it. */
  apply(summary: ExchangeSummary): void {
    this.#gathered.set(summary.id, summary);
    if (this.#gatherTimer === undefined) this.#drawSoon();
  }

  /** An event said that all is forgotten. */
  applyCleared(): void {
    this.#generation++;
    this.#reloading = false;
    this.#gathered.clear();
    this.#held.clear();
    this.#next = undefined;
    this.state.update({ rows: [], more: false, loading: false, held: 0 });
  }

  /** Events were left out, because there were too many. */
  applyMissed(): void {
    if (!this.state.value.paused) this.#refreshSoon();
  }

  /** Has the client forget everything. @throws ApiError */
  async clear(): Promise<void> {
    await call(exchangesPath, { method: "DELETE" });
    this.applyCleared();
  }

  setPaused(paused: boolean): void {
    this.state.update({ paused });
    if (paused) return;
    const held = [...this.#held.values()];
    this.#held.clear();
    this.#show(held);
    this.state.update({ held: 0 });
    // With a filter nothing was held, and too much may have come for events to tell of it all.
    this.#refreshSoon();
  }

  #fetchPage(before?: string): Promise<ExchangePage> {
    const { filter } = this.state.value;
    return call<ExchangePage>(listPath({ filter, limit: PAGE_ROWS, before }));
  }

  #drawSoon(): void {
    // A frame would never come while the tab is hidden, and all would pile up.
    this.#gatherTimer = setTimeout(() => this.#draw(), GATHER_MS);
  }

  #draw(): void {
    this.#gatherTimer = undefined;
    if (this.#reloading) return this.#drawSoon();
    const changes = [...this.#gathered.values()];
    this.#gathered.clear();
    const { filter, paused, rows } = this.state.value;
    const known = new Set(rows.map(({ id }) => id));
    const fresh = changes.filter(({ id }) => !known.has(id));
    const changed = changes.filter(({ id }) => known.has(id));
    if (changed.length > 0) this.#show(changed);
    if (fresh.length === 0) return;
    // Only the API knows what a filter means.
    if (filter !== "") {
      if (!paused) this.#refreshSoon();
      return;
    }
    if (!paused) {
      this.#show(fresh);
      return;
    }
    for (const summary of fresh) this.#held.set(summary.id, summary);
    for (const id of this.#held.keys()) {
      if (this.#held.size <= MOST_ROWS) break;
      this.#held.delete(id);
    }
    this.state.update({ held: this.#held.size });
  }

  #show(changes: readonly ExchangeSummary[]): void {
    let rows = mergeRows(this.state.value.rows, changes);
    let { more } = this.state.value;
    if (rows.length > MOST_ROWS) {
      rows = rows.slice(0, MOST_ROWS);
      this.#next = rows.at(-1)?.id;
      more = true;
    }
    this.state.update({ rows, more });
  }

  /** A list with a hole in it would lie: when more is new than a page holds, it starts anew. */
  #showNewest(page: ExchangePage): void {
    const newest = this.state.value.rows[0];
    const oldest = page.items.at(-1);
    if (
      page.next === undefined ||
      !newest ||
      !oldest ||
      oldest.id <= newest.id
    ) {
      this.#show(page.items);
      return;
    }
    this.#next = page.next;
    this.state.update({ rows: page.items, more: true });
  }

  #refreshSoon(): void {
    this.#refreshAgain = true;
    if (this.#refreshTimer !== undefined) return;
    this.#refreshTimer = setTimeout(
      () => void this.#refresh(),
      this.#refreshMs,
    );
  }

  async #refresh(): Promise<void> {
    const generation = this.#generation;
    const startedAt = performance.now();
    this.#refreshAgain = false;
    try {
      const page = await this.#fetchPage();
      if (generation !== this.#generation || this.state.value.paused) return;
      this.#showNewest(page);
      this.state.update({ error: undefined });
    } catch (error) {
      if (generation === this.#generation) this.state.update({ error });
    } finally {
      this.#refreshTimer = undefined;
      // A search through bodies may take long: the client spends no more than a fifth of its time on it.
      this.#refreshMs = Math.max(
        REFRESH_MS,
        4 * (performance.now() - startedAt),
      );
      if (this.#refreshAgain) this.#refreshSoon();
    }
  }
}
