// What happened when, as a picture and in words.
import type { ExchangeTiming } from "@expose/protocol";
import type { JSX } from "preact";
import { formatDuration } from "../format/duration.ts";
import { phasesOf } from "./phases.ts";

const WIDTH = 1_000;
const LANE = 14;

export interface TimingProps {
  readonly timing: ExchangeTiming;
  readonly durationMs: number | undefined;
}

export function Timing({
  timing,
  durationMs,
}: TimingProps): JSX.Element | null {
  const phases = phasesOf(timing);
  const total = Math.max(durationMs ?? 0, ...phases.map(({ to }) => to), 0.001);
  if (phases.length === 0) return null;
  return (
    <section class="timing" aria-label="Timing">
      <h3>
        Timing <span class="quiet">{formatDuration(total)}</span>
      </h3>
      <svg
        viewBox={`0 0 ${WIDTH} ${phases.length * LANE}`}
        preserveAspectRatio="none"
        aria-hidden="true"
        focusable="false"
      >
        {phases.map(({ name, from, to }, index) => (
          <rect
            key={name}
            class={`phase phase-${index}`}
            x={(WIDTH * from) / total}
            y={index * LANE + 2}
            // A phase of no length is seen all the same.
            width={Math.max(3, (WIDTH * (to - from)) / total)}
            height={LANE - 4}
            rx={2}
          />
        ))}
      </svg>
      <dl>
        {phases.map(({ name, from, to }, index) => (
          <div key={name}>
            <dt>
              <span class={`swatch phase-${index}`} aria-hidden="true" />
              {name}
            </dt>
            <dd>{formatDuration(to - from)}</dd>
          </div>
        ))}
      </dl>
    </section>
  );
}
