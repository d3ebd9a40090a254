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
import { CopyButton } from "../ui/copy-button.tsx";
import { download } from "../ui/download.ts";
import { ErrorNote } from "../ui/error-note.tsx";
import { useLoad } from "../ui/use-load.ts";
import { CodeView } from "./body-code.tsx";
import { HexView } from "./body-hex.tsx";
import { ImageView } from "./body-image.tsx";
import { FieldsView, PartsView } from "./body-parts.tsx";

export interface BodyProps {
  readonly id: string;
  readonly side: Side;
  readonly message: CapturedRequest | CapturedResponse;
  readonly version: string;
}

export function Body(props: BodyProps): JSX.Element {
  const { id, side, message, version } = props;
  const [hex, setHex] = useState(false);
  const [failure, setFailure] = useState<unknown>();
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
  if (view.kind === "empty") return <p class="quiet">Empty</p>;
  const showsHex = hex || view.kind === "hex";
  return (
    <div class="body">
      <div class="body-bar">
        <span class="body-kind">{showsHex ? "hex" : view.kind}</span>
        {view.decoded && view.decoded.length > 0 && (
          <span class="quiet">{`decoded from ${view.decoded.join(", ")}`}</span>
        )}
        {view.truncated && <span class="tone-warn">▲ truncated</span>}
        <span class="spacer" />
        {view.kind !== "hex" && (
          <button
            type="button"
            class="button small"
            aria-pressed={hex}
            onClick={() => setHex(!hex)}
          >
            Hex
          </button>
        )}
        {view.text !== undefined && (
          <CopyButton what={`body of the ${side}`} text={view.text} />
        )}
        <button
          type="button"
          class="button small"
          onClick={() => {
            setFailure(undefined);
            download(bodyPath(id, side, false), `${id}-${side}.bin`).catch(
              setFailure,
            );
          }}
        >
          Save
        </button>
      </div>
      {failure !== undefined && (
        <ErrorNote error={failure} doing="save the body" />
      )}
      {view.note !== undefined && (
        <p class="note tone-warn">{`▲ ${view.note}`}</p>
      )}
      {showsHex ? (
        <HexView id={id} side={side} version={version} />
      ) : (
        <Shown id={id} side={side} view={view} version={version} />
      )}
    </div>
  );
}

function Shown(props: {
  id: string;
  side: Side;
  view: BodyView;
  version: string;
}): JSX.Element {
  const { view } = props;
  switch (view.kind) {
    case "form":
      return <FieldsView fields={view.fields ?? []} />;
    case "multipart":
      return <PartsView parts={view.parts ?? []} />;
    case "image":
      return <ImageView {...props} />;
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
