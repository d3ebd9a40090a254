// The form of an order to replay something: what is particular to it, where it goes, and the button that sends it.
import type { ComponentChildren, JSX } from "preact";
import { ErrorNote } from "../ui/error-note.tsx";
import type { Task } from "../ui/use-task.ts";

export interface OrderFormProps {
  readonly task: Task;
  /** What it says on the button that sends it. */
  readonly send: string;
  /** What could not be done: `replay it`. */
  readonly doing: string;
  /** Beside the button. */
  readonly beside?: ComponentChildren;
  /** Its fields. */
  readonly children: ComponentChildren;
  onSend(): void;
}

export function OrderForm(props: OrderFormProps): JSX.Element {
  const { busy, error } = props.task;
  return (
    <form
      class="edit"
      onSubmit={(event) => {
        event.preventDefault();
        props.onSend();
      }}
      onKeyDown={(event) => {
        if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
        event.preventDefault();
        // Has the browser look at the fields first, as the button does.
        event.currentTarget.requestSubmit();
      }}
    >
      {props.children}
      {error !== undefined && <ErrorNote error={error} doing={props.doing} />}
      <div class="edit-actions">
        <button type="submit" class="button strong" disabled={busy}>
          {busy ? "Sending…" : props.send}
        </button>
        {props.beside}
      </div>
    </form>
  );
}
