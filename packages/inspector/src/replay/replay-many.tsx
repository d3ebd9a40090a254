// Replays the last ones that match, say after a change of the code, and shows what came out differently.
import type {
  ExchangeSummary,
  ReplayManyAnswer,
  ReplayManyOrder,
} from "@expose/protocol";
import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { call } from "../api/call.ts";
import { replaysPath } from "../api/paths.ts";
import { Dialog } from "../ui/dialog.tsx";
import { ErrorNote } from "../ui/error-note.tsx";
import { NumberField, SignField, TextField } from "./fields.tsx";

const MAX_LAST = 200;

export interface ReplayManyProps {
  /** The list's. */
  readonly filter: string;
  /** What is known of the originals. */
  readonly rows: readonly ExchangeSummary[];
  readonly secrets: readonly string[];
  onClose(): void;
  onShow(id: string): void;
}

export function ReplayMany(props: ReplayManyProps): JSX.Element {
  const [order, setOrder] = useState({
    filter: props.filter,
    last: 10,
    upstream: "",
    sign: "",
    withoutSecrets: false,
  });
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>();
  const [answer, setAnswer] = useState<ReplayManyAnswer>();
  const set = (changes: Partial<typeof order>): void =>
    setOrder((old) => ({ ...old, ...changes }));
  const send = async (): Promise<void> => {
    setBusy(true);
    setError(undefined);
    try {
      const { filter, last, upstream, sign, withoutSecrets } = order;
      const json: ReplayManyOrder = {
        last,
        ...(filter.trim() !== "" && { filter: filter.trim() }),
        ...(upstream.trim() !== "" && { upstream: upstream.trim() }),
        ...(sign !== "" && { sign }),
        ...(withoutSecrets && { withoutSecrets }),
      };
      setAnswer(await call(replaysPath, { method: "POST", json }));
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
          <NumberField
            label="How many"
            name="last"
            max={MAX_LAST}
            value={order.last}
            onValue={(last) => set({ last })}
          />
          <TextField
            label="Filter"
            name="filter"
            grow
            first
            placeholder="all"
            value={order.filter}
            onValue={(filter) => set({ filter })}
          />
        </div>
        <div class="edit-line">
          <TextField
            label="To another local service"
            name="upstream"
            grow
            placeholder="where each went"
            value={order.upstream}
            onValue={(upstream) => set({ upstream })}
          />
          <SignField
            secrets={props.secrets}
            value={order.sign}
            onValue={(sign) => set({ sign })}
          />
        </div>
        <label class="check">
          <input
            type="checkbox"
            name="withoutSecrets"
            checked={order.withoutSecrets}
            onChange={(event) =>
              set({ withoutSecrets: event.currentTarget.checked })
            }
          />
          Send them without headers that are redacted
        </label>
        {error !== undefined && <ErrorNote error={error} doing="replay them" />}
        <div class="edit-actions">
          <button type="submit" class="button strong" disabled={busy}>
            {busy ? "Sending…" : "Replay"}
          </button>
        </div>
      </form>
      {answer && (
        <Table answer={answer} rows={props.rows} onShow={props.onShow} />
      )}
    </Dialog>
  );
}

function Table(props: {
  answer: ReplayManyAnswer;
  rows: readonly ExchangeSummary[];
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
            ? `${results.length} replayed: all in the class of before.`
            : `${results.length} replayed: ${differing} not in the class of before.`}
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
            {results.map((result) => (
              <tr key={result.original}>
                <th scope="row">
                  <button
                    type="button"
                    class="link"
                    onClick={() =>
                      props.onShow(result.replay ?? result.original)
                    }
                  >
                    {nameOf(result.original, props.rows)}
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

function nameOf(id: string, rows: readonly ExchangeSummary[]): string {
  const row = rows.find((one) => one.id === id);
  return row ? `${row.method} ${row.target}` : id;
}
