// Counters, gauges and histograms, shown in Prometheus' text form (version 0.0.4). No label ever holds what a visitor, a
// client or a tenant chose: a stranger could otherwise make new series without end.

/** One metric in numbers, which can be added to those of other processes. */
export interface Figure {
  readonly name: string;
  readonly kind: "counter" | "gauge" | "histogram";
  readonly help: string;
  /** What each line is called, labels included, and its value. */
  readonly lines: readonly (readonly [series: string, value: number])[];
}

/** Only rises. */
export interface Counter {
  /** @param label one of those that were declared; "" for a counter without any */
  add(amount?: number, label?: string): void;
}

/** Counts how often values fell below each bound. */
export interface Histogram {
  observe(value: number): void;
}

/** A value for each label that was declared; one without a label has "". */
export type Readings = number | Readonly<Record<string, number>>;

/** The metrics of one process part. */
export interface Metrics {
  /** @param label its name and all values that it can have */
  counter(name: string, help: string, label?: Label): Counter;
  /** @param bounds upper bounds, rising */
  histogram(name: string, help: string, bounds: readonly number[]): Histogram;
  /** Reads a value when it is asked for. A counter that somebody else keeps is read the same way. */
  read(
    kind: "counter" | "gauge",
    name: string,
    help: string,
    read: () => Readings,
    labelName?: string,
  ): void;
  /** All of them as they are now. A reading that throws is left out. */
  figures(): Figure[];
}

/** A label and its values. */
export interface Label {
  readonly name: string;
  readonly values: readonly string[];
}

/** Builds an empty set of metrics. */
export function createMetrics(): Metrics {
  const families = new Map<string, () => Figure>();

  function add(
    kind: Figure["kind"],
    name: string,
    help: string,
    lines: () => Figure["lines"],
  ): void {
    if (families.has(name))
      throw new Error(`The metric ${name} exists already.`);
    families.set(name, () => ({ name, kind, help, lines: lines() }));
  }

  return {
    counter(name, help, label) {
      const values = new Map(
        (label?.values ?? [""]).map((value) => [value, 0]),
      );
      add("counter", name, help, () =>
        [...values].map(([value, count]) => [
          series(name, label?.name, value),
          count,
        ]),
      );
      return {
        add(amount = 1, value = "") {
          const count = values.get(value);
          // A bug, but no reason to fail a request or to grow.
          if (count !== undefined) values.set(value, count + amount);
        },
      };
    },
    histogram(name, help, bounds) {
      const counts = bounds.map(() => 0);
      let sum = 0;
      let total = 0;
      add("histogram", name, help, () => [
        ...bounds.map((bound, i): [string, number] => [
          `${name}_bucket{le="${bound}"}`,
          counts[i]!,
        ]),
        [`${name}_bucket{le="+Inf"}`, total],
        [`${name}_sum`, sum],
        [`${name}_count`, total],
      ]);
      return {
        observe(value) {
          sum += value;
          total++;
          // Buckets contain the smaller ones, as the text form wants them.
          for (let i = bounds.length - 1; i >= 0 && value <= bounds[i]!; i--)
            counts[i]!++;
        },
      };
    },
    read(kind, name, help, read, labelName) {
      add(kind, name, help, () => {
        const readings = read();
        return typeof readings === "number"
          ? [[name, readings]]
          : Object.entries(readings).map(([value, reading]) => [
              series(name, labelName, value),
              reading,
            ]);
      });
    },
    figures() {
      const figures: Figure[] = [];
      for (const family of families.values()) {
        try {
          figures.push(family());
        } catch {
          // One part that cannot tell its figures (it is closing, say) must not hide all others.
        }
      }
      return figures;
    },
  };
}

/** Adds up figures of several processes, line by line, in the order of the first that has each. */
export function addFigures(all: readonly (readonly Figure[])[]): Figure[] {
  const sums = new Map<
    string,
    { figure: Figure; lines: Map<string, number> }
  >();
  for (const figure of all.flat()) {
    let sum = sums.get(figure.name);
    if (!sum) sums.set(figure.name, (sum = { figure, lines: new Map() }));
    for (const [name, value] of figure.lines)
      sum.lines.set(name, (sum.lines.get(name) ?? 0) + value);
  }
  return [...sums.values()].map(({ figure, lines }) => ({
    ...figure,
    lines: [...lines],
  }));
}

/** The text that a scraper gets. */
export const renderFigures = (figures: readonly Figure[]): string =>
  figures
    .map(({ name, kind, help, lines }) =>
      [
        `# HELP ${name} ${help}`,
        `# TYPE ${name} ${kind}`,
        ...lines.map(([key, value]) => `${key} ${value}`),
        "",
      ].join("\n"),
    )
    .join("");

const series = (
  name: string,
  labelName: string | undefined,
  value: string,
): string =>
  labelName === undefined ? name : `${name}{${labelName}="${value}"}`;
