// Text of a body: coloured when it is JSON, and with a mark where its syntax breaks.
import type { BodySyntaxError } from "@expose/protocol";
import type { JSX } from "preact";
import { useMemo, useState } from "preact/hooks";
import { tokenizeJson } from "../format/json-tokens.ts";
import { Button } from "../ui/button.tsx";

/** Longer texts are shown piece by piece: a browser takes seconds to lay out megabytes. */
const PIECE_CHARACTERS = 100_000;

/** Each colour is an element: beyond this there would be too many of them. */
const COLOURED_CHARACTERS = 200_000;

export interface CodeViewProps {
  readonly text: string;
  readonly language: "json" | "plain";
  readonly error?: BodySyntaxError | undefined;
}

export function CodeView(props: CodeViewProps): JSX.Element {
  const { text, language, error } = props;
  const [pieces, setPieces] = useState(1);
  const shown = text.slice(0, pieces * PIECE_CHARACTERS);
  return (
    <>
      {error && <SyntaxError error={error} text={text} />}
      <pre class="code" role="group" tabIndex={0} aria-label="Body">
        {language === "json" && shown.length <= COLOURED_CHARACTERS ? (
          <Json text={shown} />
        ) : (
          shown
        )}
      </pre>
      {shown.length < text.length && (
        <Button onClick={() => setPieces(pieces + 1)}>
          {`Show more (${Math.round((100 * shown.length) / text.length)}% is shown)`}
        </Button>
      )}
    </>
  );
}

function Json({ text }: { text: string }): JSX.Element {
  const tokens = useMemo(() => tokenizeJson(text), [text]);
  return (
    <>
      {tokens.map(({ kind, text: piece }, index) =>
        kind === "plain" ? (
          piece
        ) : (
          <span key={index} class={`json-${kind}`}>
            {piece}
          </span>
        ),
      )}
    </>
  );
}

/** Characters around the place that are shown. */
const AROUND = 60;

function SyntaxError(props: {
  error: BodySyntaxError;
  text: string;
}): JSX.Element {
  const { error, text } = props;
  const line = text.split("\n")[error.line - 1] ?? "";
  const at = Math.max(0, error.column - 1);
  const from = Math.max(0, at - AROUND);
  return (
    <div class="mistake">
      <p>{`▲ Line ${error.line}, column ${error.column}: ${error.message}`}</p>
      <pre>
        {from > 0 ? "…" : ""}
        {line.slice(from, at)}
        <mark>{line.slice(at, at + 1) || " "}</mark>
        {line.slice(at + 1, at + 1 + AROUND)}
      </pre>
    </div>
  );
}
