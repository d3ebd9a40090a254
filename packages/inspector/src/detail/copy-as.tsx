// Takes a request out of the page: as a command, as code, as a file.
import type { ExportFormat } from "@expose/protocol";
import type { JSX } from "preact";
import { useRef, useState } from "preact/hooks";
import { callText } from "../api/call.ts";
import { exportPath } from "../api/paths.ts";
import { say } from "../ui/announcer.tsx";
import { copyText } from "../ui/copy-button.tsx";
import { download } from "../ui/download.ts";
import { ErrorNote } from "../ui/error-note.tsx";
import { Icon } from "../ui/icon.tsx";

const FORMATS: readonly (readonly [as: ExportFormat, name: string])[] = [
  ["curl", "curl"],
  ["fetch", "fetch"],
  ["httpie", "HTTPie"],
  ["http", "raw .http"],
  ["vitest", "Vitest test"],
];

export function CopyAs({ id }: { id: string }): JSX.Element {
  const menu = useRef<HTMLDetailsElement>(null);
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
  const close = (): void => {
    if (menu.current) menu.current.open = false;
  };
  return (
    <>
      <details
        class="menu"
        ref={menu}
        onKeyDown={(event) => {
          if (event.key !== "Escape" || !menu.current?.open) return;
          // Not the details of the request, which Escape closes too.
          event.preventDefault();
          close();
          menu.current.querySelector("summary")?.focus();
        }}
        onFocusOut={(event) => {
          const to = event.relatedTarget;
          if (to instanceof Node && menu.current?.contains(to)) return;
          if (to !== null) close();
        }}
      >
        <summary class="button">
          <Icon name="copy" />
          Export
          <Icon name="down" />
        </summary>
        <ul>
          {FORMATS.map(([as, name]) => (
            <li key={as}>
              <button
                type="button"
                onClick={() => {
                  close();
                  void attempt(
                    copyText(() => callText(exportPath(id, as))),
                    `Copied as ${name}`,
                  );
                }}
              >
                {`Copy as ${name}`}
              </button>
            </li>
          ))}
          <li>
            <button
              type="button"
              onClick={() => {
                close();
                void attempt(
                  download(exportPath(id, "har"), `${id}.har`),
                  "Saved as HAR",
                );
              }}
            >
              HAR file
            </button>
          </li>
        </ul>
      </details>
      {error !== undefined && <ErrorNote error={error} doing="take it out" />}
    </>
  );
}
