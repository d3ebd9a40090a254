// A request before it is sent once more: what is left alone goes out byte for byte.
import type { Exchange, ReplayAnswer } from "@expose/protocol";
import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { call, callBytes } from "../api/call.ts";
import { bodyPath, exchangePath } from "../api/paths.ts";
import { replay } from "../api/replay.ts";
import { Dialog } from "../ui/dialog.tsx";
import { ErrorNote } from "../ui/error-note.tsx";
import { useLoad } from "../ui/use-load.ts";
import { editableOf, orderOf, type Draft, type Editable } from "./draft.ts";
import { NumberField, SignField, TextField } from "./fields.tsx";
import { ReplayResults } from "./results.tsx";

const MAX_TIMES = 100;

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
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>();
  const [answer, setAnswer] = useState<ReplayAnswer>();
  const set = (changes: Partial<Draft>): void =>
    setDraft((old) => ({ ...old, ...changes }));

  const send = async (): Promise<void> => {
    setBusy(true);
    setError(undefined);
    setAnswer(undefined);
    try {
      const result = await replay(id, orderOf(original, draft));
      const [only, ...others] = result.results;
      if (only?.id && others.length === 0) props.onShow(only.id);
      else setAnswer(result);
    } catch (reason) {
      setError(reason);
    } finally {
      setBusy(false);
    }
  };

  return (
    <form
      class="edit"
      onSubmit={(event) => {
        event.preventDefault();
        void send();
      }}
      onKeyDown={(event) => {
        if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
        event.preventDefault();
        void send();
      }}
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
      <label>
        Headers, one a line
        <textarea
          name="headers"
          rows={7}
          spellcheck={false}
          value={draft.headers}
          onInput={(event) => set({ headers: event.currentTarget.value })}
        />
      </label>
      <BodyField body={draft.body} onBody={(body) => set({ body })} />
      <div class="edit-line">
        <NumberField
          label="Times"
          name="times"
          max={MAX_TIMES}
          value={draft.times}
          onValue={(times) => set({ times })}
        />
        <TextField
          label="To another local service"
          name="upstream"
          grow
          placeholder={exchange.upstream}
          value={draft.upstream}
          onValue={(upstream) => set({ upstream })}
        />
        <SignField
          secrets={secrets}
          value={draft.sign}
          onValue={(sign) => set({ sign })}
        />
      </div>
      {exchange.redacted.length > 0 && (
        <label class="check">
          <input
            type="checkbox"
            name="withoutSecrets"
            checked={draft.withoutSecrets}
            onChange={(event) =>
              set({ withoutSecrets: event.currentTarget.checked })
            }
          />
          {`Send it without what is redacted: ${exchange.redacted.join(", ")}`}
        </label>
      )}
      {error !== undefined && <ErrorNote error={error} doing="replay it" />}
      {answer && <ReplayResults answer={answer} onShow={props.onShow} />}
      <div class="edit-actions">
        <button type="submit" class="button strong" disabled={busy}>
          {busy ? "Sending…" : "Send"}
        </button>
        <button
          type="button"
          class="button"
          onClick={() => setDraft(original.draft)}
        >
          Undo all edits
        </button>
        <span class="quiet">
          {isEdited(original.draft, draft)
            ? "Edited; all else goes out byte for byte."
            : "Nothing is edited: it goes out byte for byte."}
        </span>
      </div>
    </form>
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
    <label>
      Body
      <textarea
        name="body"
        rows={10}
        spellcheck={false}
        value={body}
        onInput={(event) => onBody(event.currentTarget.value)}
      />
    </label>
  );
}
