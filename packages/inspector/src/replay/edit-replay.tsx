// A request before it is sent once more: what is left alone goes out byte for byte.
import type { Exchange, ReplayAnswer } from "@expose/protocol";
import { MAX_REPLAY_TIMES } from "@expose/protocol/inspector-api";
import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { call, callBytes } from "../api/call.ts";
import { bodyPath, exchangePath } from "../api/paths.ts";
import { replay } from "../api/replay.ts";
import { Button } from "../ui/button.tsx";
import { Dialog } from "../ui/dialog.tsx";
import { ErrorNote } from "../ui/error-note.tsx";
import { useLoad } from "../ui/use-load.ts";
import { useTask } from "../ui/use-task.ts";
import { editableOf, orderOf, type Draft, type Editable } from "./draft.ts";
import {
  AimFields,
  NumberField,
  TextArea,
  TextField,
  WithoutSecretsField,
} from "./fields.tsx";
import { OrderForm } from "./order-form.tsx";
import { ReplayResults } from "./results.tsx";

export interface EditReplayProps {
  readonly id: string;
  /** Providers that can be signed for. */
  readonly secrets: readonly string[];
  onClose(): void;
  onShow(id: string): void;
}

export function EditReplay(props: EditReplayProps): JSX.Element {
  const { id } = props;
  const { value, error, reload } = useLoad(async (signal) => {
    const [exchange, body] = await Promise.all([
      call<Exchange>(exchangePath(id), { signal }),
      callBytes(bodyPath(id, "request", false), { signal }),
    ]);
    return { exchange, editable: editableOf(exchange, body.bytes) };
  }, id);
  return (
    <Dialog title="Edit and replay" wide onClose={props.onClose}>
      {error !== undefined && (
        <ErrorNote error={error} doing="load the request" onRetry={reload} />
      )}
      {value ? (
        <Form {...props} exchange={value.exchange} original={value.editable} />
      ) : (
        error === undefined && <p class="quiet">Loading…</p>
      )}
    </Dialog>
  );
}

function Form(
  props: EditReplayProps & { exchange: Exchange; original: Editable },
): JSX.Element {
  const { id, exchange, original, secrets } = props;
  const [draft, setDraft] = useState(original.draft);
  const [answer, setAnswer] = useState<ReplayAnswer>();
  const task = useTask();
  const set = (changes: Partial<Draft>): void =>
    setDraft((old) => ({ ...old, ...changes }));
  const send = (): void => {
    setAnswer(undefined);
    task.start(
      async () => replay(id, orderOf(original, draft)),
      (result) => {
        const [only, ...others] = result.results;
        if (only?.id && others.length === 0) props.onShow(only.id);
        else setAnswer(result);
      },
    );
  };

  return (
    <>
      <OrderForm
        task={task}
        send="Send"
        doing="replay it"
        onSend={send}
        beside={
          <>
            <Button onClick={() => setDraft(original.draft)}>
              Undo all edits
            </Button>
            <span class="quiet">
              {isEdited(original.draft, draft)
                ? "Edited; all else goes out byte for byte."
                : "Nothing is edited: it goes out byte for byte."}
            </span>
          </>
        }
      >
        <div class="edit-line">
          <TextField
            label="Method"
            name="method"
            value={draft.method}
            onValue={(method) => set({ method })}
          />
          <TextField
            label="Path and query"
            name="target"
            grow
            first
            value={draft.target}
            onValue={(target) => set({ target })}
          />
        </div>
        <TextArea
          label="Headers, one a line"
          name="headers"
          rows={7}
          value={draft.headers}
          onValue={(headers) => set({ headers })}
        />
        <BodyField body={draft.body} onBody={(body) => set({ body })} />
        <div class="edit-line">
          <NumberField
            label="Times"
            name="times"
            max={MAX_REPLAY_TIMES}
            value={draft.times}
            onValue={(times) => set({ times })}
          />
          <AimFields
            aim={draft}
            secrets={secrets}
            usual={exchange.upstream}
            onAim={set}
          />
        </div>
        {exchange.redacted.length > 0 && (
          <WithoutSecretsField
            aim={draft}
            label={`Send it without what is redacted: ${exchange.redacted.join(", ")}`}
            onAim={set}
          />
        )}
      </OrderForm>
      {answer && <ReplayResults answer={answer} onShow={props.onShow} />}
    </>
  );
}

const isEdited = (before: Draft, now: Draft): boolean =>
  before.method !== now.method ||
  before.target !== now.target ||
  before.headers !== now.headers ||
  before.body !== now.body;

function BodyField(props: {
  body: string | undefined;
  onBody(body: string): void;
}): JSX.Element {
  const { body, onBody } = props;
  if (body === undefined)
    return (
      <p class="quiet">
        The body is not plain text, and goes out as it was.{" "}
        <button type="button" class="link" onClick={() => onBody("")}>
          Write another one
        </button>
      </p>
    );
  return (
    <TextArea
      label="Body"
      name="body"
      rows={10}
      value={body}
      onValue={onBody}
    />
  );
}
