// A request before it is sent once more: what is left alone goes out byte for byte.
import type { Exchange, ReplayAnswer, ReplayOrder } from "@expose/protocol";
import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { call, callBytes } from "../api/call.ts";
import { bodyPath, exchangePath } from "../api/paths.ts";
import { Dialog } from "../ui/dialog.tsx";
import { ErrorNote } from "../ui/error-note.tsx";
import { useLoad } from "../ui/use-load.ts";
import { draftOf, orderOf, type Draft } from "./draft.ts";
import { replay } from "../api/replay.ts";

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
    return { exchange, draft: draftOf(exchange, body.bytes) };
  }, id);
  return (
    <Dialog title="Edit and replay" wide onClose={props.onClose}>
      {error !== undefined && (
        <ErrorNote error={error} doing="load the request" onRetry={reload} />
      )}
      {value ? (
        <Form {...props} exchange={value.exchange} original={value.draft} />
      ) : (
        <p class="quiet">Loading…</p>
      )}
    </Dialog>
  );
}

function Form(
  props: EditReplayProps & { exchange: Exchange; original: Draft },
): JSX.Element {
  const { id, exchange, original, secrets } = props;
  const [draft, setDraft] = useState(original);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>();
  const [answer, setAnswer] = useState<ReplayAnswer>();
  const set = (changes: Partial<Draft>): void =>
    setDraft({ ...draft, ...changes });

  const send = async (): Promise<void> => {
    setBusy(true);
    setError(undefined);
    try {
      const order: ReplayOrder = orderOf(original, draft);
      const result = await replay(id, order);
      const [only] = result.results;
      if (result.results.length === 1 && only && only.id) props.onShow(only.id);
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
        if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
          event.preventDefault();
          void send();
        }
      }}
    >
      <div class="edit-line">
        <label>
          Method
          <input
            name="method"
            value={draft.method}
            spellcheck={false}
            onInput={(event) => set({ method: event.currentTarget.value })}
          />
        </label>
        <label class="grow">
          Path and query
          <input
            name="target"
            value={draft.target}
            spellcheck={false}
            onInput={(event) => set({ target: event.currentTarget.value })}
          />
        </label>
      </div>
      <label>
        Headers, one a line
        <textarea
          name="headers"
          rows={8}
          spellcheck={false}
          value={draft.headers}
          onInput={(event) => set({ headers: event.currentTarget.value })}
        />
      </label>
      {draft.body === undefined ? (
        <p class="quiet">The body is not text, and goes out as it was.</p>
      ) : (
        <label>
          Body
          <textarea
            name="body"
            rows={10}
            spellcheck={false}
            value={draft.body}
            onInput={(event) => set({ body: event.currentTarget.value })}
          />
        </label>
      )}
      <div class="edit-line">
        <label>
          Times
          <input
            name="times"
            type="number"
            min={1}
            max={1_000}
            value={draft.times}
            onInput={(event) =>
              set({ times: event.currentTarget.valueAsNumber })
            }
          />
        </label>
        <label class="grow">
          To another service
          <input
            name="upstream"
            placeholder={exchange.upstream}
            value={draft.upstream}
            spellcheck={false}
            onInput={(event) => set({ upstream: event.currentTarget.value })}
          />
        </label>
        {secrets.length > 0 && (
          <label>
            Sign again for
            <select
              name="sign"
              value={draft.sign}
              onChange={(event) => set({ sign: event.currentTarget.value })}
            >
              <option value="">nobody</option>
              {secrets.map((name) => (
                <option key={name} value={name}>
                  {name}
                </option>
              ))}
            </select>
          </label>
        )}
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
          {`Send without what is redacted: ${exchange.redacted.join(", ")}`}
        </label>
      )}
      {error !== undefined && <ErrorNote error={error} doing="replay it" />}
      {answer && <Results answer={answer} onShow={props.onShow} />}
      <div class="edit-actions">
        <button type="submit" class="button strong" disabled={busy}>
          {busy ? "Sending…" : "Send"}
        </button>
        <button type="button" class="button" onClick={() => setDraft(original)}>
          Undo all edits
        </button>
        <span class="quiet">
          {draft === original || isSame(draft, original)
            ? "Nothing is edited: it goes out byte for byte."
            : "Edited"}
        </span>
      </div>
    </form>
  );
}

const isSame = (a: Draft, b: Draft): boolean =>
  JSON.stringify(a) === JSON.stringify(b);

function Results(props: {
  answer: ReplayAnswer;
  onShow(id: string): void;
}): JSX.Element {
  return (
    <table class="changes" aria-live="polite">
      <caption>Responses</caption>
      <thead>
        <tr>
          <th scope="col">No.</th>
          <th scope="col">Status</th>
          <th scope="col">Class</th>
          <th scope="col">Exchange</th>
        </tr>
      </thead>
      <tbody>
        {props.answer.results.map((result, index) => (
          <tr key={index}>
            <td>{index + 1}</td>
            <td>{result.error?.message ?? result.status ?? "none"}</td>
            <td>{result.sameClass ? "● same" : "▲ differs"}</td>
            <td>
              {result.id && (
                <button
                  type="button"
                  class="link"
                  onClick={() => props.onShow(result.id)}
                >
                  show
                </button>
              )}
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
