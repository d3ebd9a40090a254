// Counters, gauges and histograms, shown in Prometheus' text form (version 0.0.4). No label ever holds what a visitor, a
// client or a tenant chose: a stranger could otherwise make new series without end.

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
  /** The text that a scraper gets. A reading that throws is left out. */
  render(): string;
}

/** A label and its values. */
export interface Label {
  readonly name: string;
  readonly values: readonly string[];
}

/** Builds an empty set of metrics. */
export function createMetrics(): Metrics {
  const families = new Map<string, () => string>();

  function add(
    kind: string,
    name: string,
    help: string,
    lines: () => readonly string[],
  ): void {
    if (families.has(name))
      throw new Error(`The metric ${name} exists already.`);
    families.set(name, () =>
      [`# HELP ${name} ${help}`, `# TYPE ${name} ${kind}`, ...lines(), ""].join(
        "\n",
      ),
    );
  }

  return {
    counter(name, help, label) {
      const values = new Map(
        (label?.values ?? [""]).map((value) => [value, 0]),
      );
      add("counter", name, help, () =>
        [...values].map(([value, count]) =>
          line(name, label?.name, value, count),
        ),
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
        ...bounds.map(
          (bound, i) => `${name}_bucket{le="${bound}"} ${counts[i]!}`,
        ),
        `${name}_bucket{le="+Inf"} ${total}`,
        `${name}_sum ${sum}`,
        `${name}_count ${total}`,
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
          ? [line(name, undefined, "", readings)]
          : Object.entries(readings).map(([value, reading]) =>
              line(name, labelName, value, reading),
            );
      });
    },
    render() {
      let text = "";
      for (const family of families.values()) {
        try {
          text += family();
        } catch {
          // One part that cannot tell its figures (it is closing, say) must not hide all others.
        }
      }
      return text;
    },
  };
}

const line = (
  name: string,
  labelName: string | undefined,
  value: string,
  reading: number,
): string =>
  labelName === undefined
    ? `${name} ${reading}`
    : `${name}{${labelName}="${value}"} ${reading}`;
