// Replays the last ones that match, say after a change of the code, and shows what came out differently.
import type { ExchangeSummary, ReplayManyAnswer } from "@expose/protocol";
import { MAX_REPLAY_LAST } from "@expose/protocol/inspector-api";
import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { call } from "../api/call.ts";
import { replaysPath } from "../api/paths.ts";
import { Dialog } from "../ui/dialog.tsx";
import { Table } from "../ui/table.tsx";
import { useTask } from "../ui/use-task.ts";
import { NO_AIM, orderManyOf, type Aim } from "./draft.ts";
import {
  AimFields,
  NumberField,
  TextField,
  WithoutSecretsField,
} from "./fields.tsx";
import { OrderForm } from "./order-form.tsx";
import { ClassCell, countDiffering, Outcome } from "./results.tsx";

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
  const [filter, setFilter] = useState(props.filter);
  const [last, setLast] = useState(10);
  const [aim, setAim] = useState(NO_AIM);
  const [answer, setAnswer] = useState<ReplayManyAnswer>();
  const task = useTask();
  const changeAim = (changes: Partial<Aim>): void =>
    setAim((old) => ({ ...old, ...changes }));
  const send = (): void => {
    setAnswer(undefined);
    const json = orderManyOf(filter, last, aim);
    task.start(
      () => call<ReplayManyAnswer>(replaysPath, { method: "POST", json }),
      setAnswer,
    );
  };
  return (
    <Dialog
      title="Replay the last ones that match"
      wide
      onClose={props.onClose}
    >
      <OrderForm task={task} send="Replay" doing="replay them" onSend={send}>
        <div class="edit-line">
          <NumberField
            label="How many"
            name="last"
            max={MAX_REPLAY_LAST}
            value={last}
            onValue={setLast}
          />
          <TextField
            label="Filter"
            name="filter"
            grow
            first
            placeholder="all"
            value={filter}
            onValue={setFilter}
          />
        </div>
        <div class="edit-line">
          <AimFields
            aim={aim}
            secrets={props.secrets}
            usual="where each went"
            onAim={changeAim}
          />
        </div>
        <WithoutSecretsField
          aim={aim}
          label="Send them without headers that are redacted"
          onAim={changeAim}
        />
      </OrderForm>
      {answer && (
        <Results answer={answer} rows={props.rows} onShow={props.onShow} />
      )}
    </Dialog>
  );
}

function Results(props: {
  answer: ReplayManyAnswer;
  rows: readonly ExchangeSummary[];
  onShow(id: string): void;
}): JSX.Element {
  const { results } = props.answer;
  if (results.length === 0) return <Outcome>Nothing matched.</Outcome>;
  return (
    <>
      <Outcome>
        {`${results.length} replayed: ${countDiffering(results)} the class of before.`}
      </Outcome>
      <Table
        look="results"
        caption="What changed"
        columns={["Request", "Before", "After", "Class", "Changes"]}
      >
        {results.map((result) => (
          <tr key={result.original}>
            <th scope="row">
              <button
                type="button"
                class="link"
                onClick={() => props.onShow(result.replay ?? result.original)}
              >
                {nameOf(result.original, props.rows)}
              </button>
            </th>
            <td>{result.before ?? "none"}</td>
            <td>{result.error?.message ?? result.after ?? "none"}</td>
            <ClassCell same={result.sameClass} />
            <td>{result.changes ?? ""}</td>
          </tr>
        ))}
      </Table>
    </>
  );
}

function nameOf(id: string, rows: readonly ExchangeSummary[]): string {
  const row = rows.find((one) => one.id === id);
  return row ? `${row.method} ${row.target}` : id;
}
