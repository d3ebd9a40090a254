// What stands in place of the list while there is nothing to list.
import type { InspectorStatus } from "@expose/protocol";
import type { JSX } from "preact";
import { CopyButton } from "../ui/copy-button.tsx";

export interface EmptyProps {
  readonly status: InspectorStatus | undefined;
  readonly filter: string;
}

export function Empty({ status, filter }: EmptyProps): JSX.Element {
  if (filter !== "")
    return (
      <div class="empty">
        <h2>Nothing matches</h2>
        <p class="quiet">
          No request in the history matches this filter. New ones that do will
          show up here.
        </p>
      </div>
    );
  const tunnels = status?.tunnels ?? [];
  return (
    <div class="empty">
      <h2>No requests yet</h2>
      {tunnels.length > 0 && (
        <>
          <p class="quiet">
            {tunnels.length > 1 ? "Here are your URLs:" : "Here is your URL:"}
          </p>
          <ul>
            {tunnels.map(({ name, url }) => (
              <li key={name + url} class="empty-url">
                <code>{url}</code>
                <CopyButton what={`URL of ${name}`} text={url} class="button">
                  Copy
                </CopyButton>
              </li>
            ))}
          </ul>
        </>
      )}
      <p class="quiet">Whatever it is asked for shows up here at once.</p>
    </div>
  );
}
