// Takes a request out of the page: as a command, as code, as a file.
import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { callText } from "../api/call.ts";
import { exportPath, type ExportFormat } from "../api/paths.ts";
import { say } from "../ui/announcer.tsx";
import { copyText } from "../ui/copy-button.tsx";
import { download } from "../ui/download.ts";
import { ErrorNote } from "../ui/error-note.tsx";

const FORMATS: readonly (readonly [as: ExportFormat, name: string])[] = [
  ["curl", "curl"],
  ["fetch", "fetch"],
  ["httpie", "HTTPie"],
  ["http", "raw .http"],
  ["vitest", "Vitest test"],
];

export function CopyAs({ id }: { id: string }): JSX.Element {
  const [error, setError] = useState<unknown>();
  const attempt = async (work: Promise<void>, done: string): Promise<void> => {
    setError(undefined);
    try {
      await work;
      say(done);
    } catch (reason) {
      setError(reason);
    }
  };
  return (
    <>
      <details class="menu">
        <summary class="button">Copy as</summary>
        <ul>
          {FORMATS.map(([as, name]) => (
            <li key={as}>
              <button
                type="button"
                onClick={(event) => {
                  const menu = event.currentTarget.closest("details");
                  if (menu) menu.open = false;
                  void attempt(
                    copyText(() => callText(exportPath(id, as))),
                    `Copied as ${name}`,
                  );
                }}
              >
                {name}
              </button>
            </li>
          ))}
        </ul>
      </details>
      <button
        type="button"
        class="button"
        title="Download it as HAR"
        onClick={() =>
          void attempt(
            download(exportPath(id, "har"), `${id}.har`),
            "Saved as HAR",
          )
        }
      >
        HAR
      </button>
      {error !== undefined && <ErrorNote error={error} doing="take it out" />}
    </>
  );
}
