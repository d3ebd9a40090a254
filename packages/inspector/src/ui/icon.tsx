// The page's icons, drawn as elements: fonts differ from machine to machine.
import type { JSX } from "preact";

const PATHS = {
  copy: "M5.5 5.5V2.5h8v8h-3M2.5 5.5h8v8h-8z",
  check: "M3 8.5 6.5 12 13 4.5",
  close: "M4 4l8 8M12 4l-8 8",
  pause: "M5.5 3v10M10.5 3v10",
  play: "M5 3l8 5-8 5z",
  replay: "M12.8 6.2A5.2 5.2 0 1 0 13 9.4M13 2.8v3.6H9.4",
  edit: "M3 13l.7-3L10.5 3.2l2.3 2.3L6 12.3zM9 4.7l2.3 2.3",
  many: "M2.5 4h11M2.5 8h11M2.5 12h6M12 10v4M10 12h4",
  download: "M8 2.5v8M4.5 7.5 8 11l3.5-3.5M3 13.5h10",
  trash: "M3 4.5h10M6 4.5v-2h4v2M4.5 4.5l.6 9h5.8l.6-9",
  help: "M5.8 6a2.2 2.2 0 1 1 3.2 2c-.7.4-1 .8-1 1.6M8 12.4v.2",
  arrow: "M2.5 8h8M7.5 4.5 11 8l-3.5 3.5M14 8h.01",
  down: "M4 6l4 4 4-4",
} as const;

export type IconName = keyof typeof PATHS;

/** Says nothing to a screen reader: what it stands on has a name. */
export function Icon({ name }: { name: IconName }): JSX.Element {
  return (
    <svg class="icon" viewBox="0 0 16 16" aria-hidden="true" focusable="false">
      <path d={PATHS[name]} />
    </svg>
  );
}
