// The filter's input, with the place of a mistake and its syntax below it.
import type { JSX, RefObject } from "preact";
import { useEffect, useId, useRef, useState } from "preact/hooks";
import type { ApiError } from "../api/call.ts";
import { Button } from "../ui/button.tsx";
import { FilterSyntax } from "./filter-syntax.tsx";

/** The list follows what is typed after a pause of this length. */
const TYPING_MS = 250;

export interface FilterBoxProps {
  readonly inputRef: RefObject<HTMLInputElement | null>;
  readonly filter: string;
  readonly error: ApiError | undefined;
  onFilter(filter: string): void;
  /** Whoever typed wants to go to the list. */
  onDone(): void;
}

export function FilterBox(props: FilterBoxProps): JSX.Element {
  const [text, setText] = useState(props.filter);
  const [syntaxShown, setSyntaxShown] = useState(false);
  const errorId = useId();
  const syntaxId = useId();
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  useEffect(() => () => clearTimeout(timer.current), []);

  const apply = (value: string): void => {
    clearTimeout(timer.current);
    props.onFilter(value.trim());
  };
  const type = (value: string): void => {
    setText(value);
    clearTimeout(timer.current);
    timer.current = setTimeout(() => apply(value), TYPING_MS);
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.key === "Enter" || event.key === "ArrowDown") {
      event.preventDefault();
      apply(text);
      props.onDone();
    }
    if (event.key === "Escape") {
      event.preventDefault();
      if (syntaxShown) setSyntaxShown(false);
      else if (text !== "") {
        setText("");
        apply("");
      } else props.onDone();
    }
  };

  return (
    <div class="filter" role="search">
      <div class={props.error ? "filter-line wrong" : "filter-line"}>
        <label class="unseen" htmlFor="filter">
          Filter
        </label>
        <input
          id="filter"
          ref={props.inputRef}
          type="text"
          class="filter-input"
          placeholder="Filter: status:5xx method:POST path:/hooks, or any text"
          autocomplete="off"
          autocapitalize="off"
          spellcheck={false}
          value={text}
          aria-invalid={props.error !== undefined}
          aria-describedby={props.error ? errorId : undefined}
          onInput={(event) => type(event.currentTarget.value)}
          onKeyDown={onKeyDown}
        />
        {text !== "" && (
          <Button
            look="round"
            icon="close"
            label="Clear the filter"
            onClick={() => {
              setText("");
              apply("");
              props.inputRef.current?.focus();
            }}
          />
        )}
        <button
          type="button"
          class="button"
          aria-expanded={syntaxShown}
          aria-controls={syntaxId}
          onClick={() => setSyntaxShown(!syntaxShown)}
        >
          Syntax
        </button>
      </div>
      <div id={errorId} role="alert">
        {props.error && <Mistake filter={props.filter} error={props.error} />}
      </div>
      <div id={syntaxId} class="syntax-panel" hidden={!syntaxShown}>
        {syntaxShown && (
          <FilterSyntax
            onTry={(example) => {
              const value =
                text.trim() === "" ? example : `${text.trim()} ${example}`;
              setText(value);
              apply(value);
              props.inputRef.current?.focus();
            }}
          />
        )}
      </div>
    </div>
  );
}

/** The filter once more, with a mark where it breaks. */
function Mistake({
  filter,
  error,
}: {
  filter: string;
  error: ApiError;
}): JSX.Element {
  const at = error.position;
  return (
    <div class="mistake">
      {at !== undefined && (
        <pre aria-hidden="true">
          {filter.slice(0, at)}
          <mark>{filter.slice(at, at + 1) || " "}</mark>
          {filter.slice(at + 1)}
        </pre>
      )}
      <p>
        {at === undefined ? "" : `At character ${at + 1}: `}
        {error.message}
      </p>
    </div>
  );
}
