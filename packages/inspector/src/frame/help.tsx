// The help: all keys, and the filter's syntax.
import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { FilterSyntax } from "../list/filter-syntax.tsx";
import { Dialog } from "../ui/dialog.tsx";
import { setSingleKeys, singleKeysOn } from "../ui/use-keys.ts";

const KEYS: readonly (readonly [keys: readonly string[], meaning: string])[] = [
  [["j", "↓"], "next request"],
  [["k", "↑"], "previous request"],
  [["PgDn", "PgUp", "Home", "End"], "further"],
  [["Enter"], "open its details"],
  [["Esc"], "close details, dialogs, the filter"],
  [["/"], "filter"],
  [["r"], "replay as it was"],
  [["e"], "edit and replay"],
  [["m"], "replay the last ones that match"],
  [["p"], "pause and follow"],
  [["?"], "this help"],
];

export function Help({ onClose }: { onClose(): void }): JSX.Element {
  const [single, setSingle] = useState(singleKeysOn());
  return (
    <Dialog title="Keys and filter" wide onClose={onClose}>
      <h3>Keys</h3>
      <dl class="keys">
        {KEYS.map(([keys, meaning]) => (
          <div key={meaning}>
            <dt>
              {keys.map((key) => (
                <kbd key={key}>{key}</kbd>
              ))}
            </dt>
            <dd>{meaning}</dd>
          </div>
        ))}
      </dl>
      <label class="check">
        <input
          type="checkbox"
          checked={single}
          onChange={(event) => {
            setSingleKeys(event.currentTarget.checked);
            setSingle(event.currentTarget.checked);
          }}
        />
        Keys of one letter do something
      </label>
      <h3>Filter</h3>
      <FilterSyntax />
    </Dialog>
  );
}
