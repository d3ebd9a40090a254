// The metrics of all processes together. Counters keep what a worker that died had counted, as far as it was heard.
import { addFigures, type Figure } from "../metrics/metrics.ts";

/** What the workers have told of their figures. */
export interface FigureSum {
  /** Takes over what workers told now. */
  take(figures: ReadonlyMap<number, Figure[]>): void;
  /** A worker is gone: its gauges with it. */
  gone(worker: number): void;
  /** What each worker has of one that has no labels, by worker. */
  each(name: string): Record<string, number>;
  /** All of them, and the process' own. */
  sum(own: readonly Figure[]): Figure[];
}

/** Builds the sum of nothing. */
export function createFigureSum(): FigureSum {
  const latest = new Map<number, Figure[]>();
  let past: Figure[] = [];
  return {
    take(figures) {
      for (const [worker, its] of figures) latest.set(worker, its);
    },
    gone(worker) {
      const counted = (latest.get(worker) ?? []).filter(
        ({ kind }) => kind !== "gauge",
      );
      past = addFigures([past, counted]);
      latest.delete(worker);
    },
    each(name) {
      const values: Record<string, number> = {};
      for (const [worker, figures] of latest)
        for (const figure of figures)
          if (figure.name === name) values[worker] = figure.lines[0]?.[1] ?? 0;
      return values;
    },
    sum: (own) => addFigures([own, past, ...latest.values()]),
  };
}
