// A body, as what it is: JSON, XML, a form, parts, a picture, text, or bytes.
import type {
  BodyView,
  CapturedRequest,
  CapturedResponse,
} from "@expose/protocol";
import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { call } from "../api/call.ts";
import { bodyPath, viewPath, type Side } from "../api/paths.ts";
import { formatBytes } from "../format/bytes.ts";
import { Button } from "../ui/button.tsx";
import { CopyButton } from "../ui/copy-button.tsx";
import { download } from "../ui/download.ts";
import { ErrorNote } from "../ui/error-note.tsx";
import { useLoad } from "../ui/use-load.ts";
import { useTask } from "../ui/use-task.ts";
import { HexView, TextView } from "./body-bytes.tsx";
import { CodeView } from "./body-code.tsx";
import { ImageView } from "./body-image.tsx";
import { FieldsView, PartsView } from "./body-parts.tsx";

/** `view`: made for reading; `text`: as it was sent, decoded; `hex`: the bytes as they passed. */
type Mode = "view" | "text" | "hex";

export interface BodyProps {
  readonly id: string;
  readonly side: Side;
  readonly message: CapturedRequest | CapturedResponse;
  /** Changes when there is more of it. */
  readonly version: string;
}

export function Body(props: BodyProps): JSX.Element {
  const { id, side, message, version } = props;
  const [mode, setMode] = useState<Mode>("view");
  const saving = useTask();
  const isEmpty = message.body.keptBytes === 0;
  const {
    value: view,
    error,
    reload,
  } = useLoad<BodyView>(
    (signal) =>
      isEmpty
        ? Promise.resolve({ kind: "empty" })
        : call<BodyView>(viewPath(id, side), { signal }),
    `${id} ${side}`,
    version,
  );
  if (error !== undefined)
    return <ErrorNote error={error} doing="show the body" onRetry={reload} />;
  if (!view) return <p class="quiet">Loading…</p>;
  if (view.kind === "empty")
    return (
      <p class="quiet">
        {message.body.bytes > 0 ? "Nothing of it is kept." : "Empty"}
      </p>
    );
  const save = (): void =>
    saving.start(() =>
      download(bodyPath(id, side, false), `${id}-${side}.bin`),
    );
  return (
    <div class="body">
      <div class="body-bar">
        <Modes view={view} mode={mode} side={side} onMode={setMode} />
        {view.decoded && view.decoded.length > 0 && (
          <span class="quiet">
            {`${view.decoded.join(", ")} undone`}
            {view.bytes !== undefined && `: ${formatBytes(view.bytes)}`}
          </span>
        )}
        {view.truncated && <span class="tone-warn">▲ truncated</span>}
        <span class="spacer" />
        {mode === "view" && view.text !== undefined && (
          <CopyButton what={`body of the ${side}`} text={view.text} />
        )}
        <Button
          look="small"
          label={`Save the body of the ${side}`}
          onClick={save}
        >
          Save
        </Button>
      </div>
      {saving.error !== undefined && (
        <ErrorNote error={saving.error} doing="save the body" />
      )}
      {view.note !== undefined && (
        <p class="note tone-warn">{`▲ ${view.note}`}</p>
      )}
      <Shown id={id} side={side} view={view} mode={mode} version={version} />
    </div>
  );
}

function Modes(props: {
  view: BodyView;
  mode: Mode;
  side: Side;
  onMode(mode: Mode): void;
}): JSX.Element {
  const { view, mode, side, onMode } = props;
  const modes: [Mode, string][] = [["view", NAMES[view.kind] ?? view.kind]];
  if (view.kind !== "hex" && view.kind !== "image" && view.kind !== "text")
    modes.push(["text", "Text"]);
  if (view.kind !== "hex") modes.push(["hex", "Hex"]);
  return (
    <div class="modes" role="group" aria-label={`Body of the ${side} as`}>
      {modes.map(([each, name]) => (
        <button
          key={each}
          type="button"
          aria-pressed={mode === each}
          onClick={() => onMode(each)}
        >
          {name}
        </button>
      ))}
    </div>
  );
}

const NAMES: Partial<Record<BodyView["kind"], string>> = {
  json: "JSON",
  xml: "XML",
  form: "Form",
  multipart: "Parts",
  image: "Picture",
  text: "Text",
  hex: "Hex",
};

function Shown(props: {
  id: string;
  side: Side;
  view: BodyView;
  mode: Mode;
  version: string;
}): JSX.Element {
  const { id, side, view, mode, version } = props;
  const from = { id, side, version };
  if (mode === "hex") return <HexView {...from} decoded={false} />;
  if (mode === "text") return <TextView {...from} decoded />;
  switch (view.kind) {
    case "form":
      return <FieldsView fields={view.fields ?? []} />;
    case "multipart":
      return <PartsView parts={view.parts ?? []} />;
    case "image":
      return <ImageView {...from} view={view} />;
    case "hex":
      return <HexView {...from} decoded />;
    default:
      return (
        <CodeView
          text={view.text ?? ""}
          language={view.kind === "json" && !view.error ? "json" : "plain"}
          error={view.error}
        />
      );
  }
}
