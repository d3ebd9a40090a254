// Replays the last ones that match, say after a change of the code, and shows what came out differently.
import type { ReplayManyAnswer, ReplayManyOrder } from "@expose/protocol";
import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { call } from "../api/call.ts";
import { replaysPath } from "../api/paths.ts";
import { Dialog } from "../ui/dialog.tsx";
import { ErrorNote } from "../ui/error-note.tsx";

export interface ReplayManyProps {
  /** The list's. */
  readonly filter: string;
  onClose(): void;
  onShow(id: string): void;
}

export function ReplayMany(props: ReplayManyProps): JSX.Element {
  const [filter, setFilter] = useState(props.filter);
  const [last, setLast] = useState(10);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>();
  const [answer, setAnswer] = useState<ReplayManyAnswer>();
  const send = async (): Promise<void> => {
    setBusy(true);
    setError(undefined);
    try {
      const order: ReplayManyOrder = {
        last,
        ...(filter.trim() !== "" && { filter: filter.trim() }),
      };
      setAnswer(await call(replaysPath, { method: "POST", json: order }));
    } catch (reason) {
      setError(reason);
    } finally {
      setBusy(false);
    }
  };
  return (
    <Dialog
      title="Replay the last ones that match"
      wide
      onClose={props.onClose}
    >
      <form
        class="edit"
        onSubmit={(event) => {
          event.preventDefault();
          void send();
        }}
      >
        <div class="edit-line">
          <label>
            How many
            <input
              name="last"
              type="number"
              min={1}
              max={1_000}
              required
              value={last}
              onInput={(event) => setLast(event.currentTarget.valueAsNumber)}
            />
          </label>
          <label class="grow">
            Filter
            <input
              name="filter"
              value={filter}
              placeholder="all"
              spellcheck={false}
              onInput={(event) => setFilter(event.currentTarget.value)}
            />
          </label>
        </div>
        {error !== undefined && <ErrorNote error={error} doing="replay them" />}
        <div class="edit-actions">
          <button type="submit" class="button strong" disabled={busy}>
            {busy ? "Sending…" : "Replay"}
          </button>
        </div>
      </form>
      {answer && <Table answer={answer} onShow={props.onShow} />}
    </Dialog>
  );
}

function Table(props: {
  answer: ReplayManyAnswer;
  onShow(id: string): void;
}): JSX.Element {
  const { results } = props.answer;
  const differing = results.filter(({ sameClass }) => !sameClass).length;
  return (
    <>
      <p role="status">
        {results.length === 0
          ? "Nothing matched."
          : differing === 0
            ? `${results.length} replayed: all in the same class as before.`
            : `${results.length} replayed: ${differing} in another class than before.`}
      </p>
      {results.length > 0 && (
        <table class="changes">
          <caption>What changed</caption>
          <thead>
            <tr>
              <th scope="col">Request</th>
              <th scope="col">Before</th>
              <th scope="col">After</th>
              <th scope="col">Class</th>
              <th scope="col">Changes</th>
            </tr>
          </thead>
          <tbody>
            {results.map((result, index) => (
              <tr key={index}>
                <th scope="row">
                  <button
                    type="button"
                    class="link"
                    onClick={() =>
                      props.onShow(result.replay ?? result.original)
                    }
                  >
                    {`${index + 1}. show`}
                  </button>
                </th>
                <td>{result.before ?? "none"}</td>
                <td>{result.error?.message ?? result.after ?? "none"}</td>
                <td class={result.sameClass ? "" : "tone-bad"}>
                  {result.sameClass ? "● same" : "▲ differs"}
                </td>
                <td>{result.changes ?? ""}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </>
  );
}
