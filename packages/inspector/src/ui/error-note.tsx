// An error, shown where it happened.
import type { JSX } from "preact";
import { ApiError } from "../api/call.ts";
import { Button } from "./button.tsx";

export interface ErrorNoteProps {
  readonly error: unknown;
  /** What could not be done: `load the list`. */
  readonly doing: string;
  readonly onRetry?: (() => void) | undefined;
}

export function ErrorNote(props: ErrorNoteProps): JSX.Element {
  const { error, doing, onRetry } = props;
  return (
    <div class="error-note" role="alert">
      <p>
        <strong>{`Could not ${doing}. `}</strong>
        {error instanceof Error ? error.message : String(error)}
        {error instanceof ApiError && <code>{` ${error.code}`}</code>}
      </p>
      {onRetry && <Button onClick={onRetry}>Try again</Button>}
    </div>
  );
}
