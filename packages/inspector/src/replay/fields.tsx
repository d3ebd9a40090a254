// Fields that the forms of this folder share.
import type { JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";

export interface TextFieldProps {
  readonly label: string;
  readonly name: string;
  readonly value: string;
  readonly placeholder?: string;
  /** Takes what is left of its line. */
  readonly grow?: boolean;
  /** Takes the focus when it appears. */
  readonly first?: boolean;
  onValue(value: string): void;
}

export function TextField(props: TextFieldProps): JSX.Element {
  const input = useRef<HTMLInputElement>(null);
  useEffect(() => {
    if (props.first) input.current?.focus();
  }, []);
  return (
    <label class={props.grow ? "grow" : ""}>
      {props.label}
      <input
        ref={input}
        name={props.name}
        value={props.value}
        placeholder={props.placeholder}
        autocomplete="off"
        autocapitalize="off"
        spellcheck={false}
        onInput={(event) => props.onValue(event.currentTarget.value)}
      />
    </label>
  );
}

export interface NumberFieldProps {
  readonly label: string;
  readonly name: string;
  readonly value: number;
  readonly max: number;
  onValue(value: number): void;
}

/** Whole numbers from 1. */
export function NumberField(props: NumberFieldProps): JSX.Element {
  return (
    <label>
      {props.label}
      <input
        name={props.name}
        type="number"
        required
        min={1}
        max={props.max}
        value={props.value}
        onInput={({ currentTarget: { valueAsNumber } }) => {
          // While nothing is in it; the browser then says that something has to be.
          if (!Number.isNaN(valueAsNumber)) props.onValue(valueAsNumber);
        }}
      />
    </label>
  );
}

export interface SignFieldProps {
  /** Providers whose secret is configured. */
  readonly secrets: readonly string[];
  readonly value: string;
  onValue(value: string): void;
}

/** Nothing while no secret is configured. */
export function SignField(props: SignFieldProps): JSX.Element | null {
  if (props.secrets.length === 0) return null;
  return (
    <label>
      Sign again for
      <select
        name="sign"
        value={props.value}
        onChange={(event) => props.onValue(event.currentTarget.value)}
      >
        <option value="">nobody</option>
        {props.secrets.map((name) => (
          <option key={name} value={name}>
            {name}
          </option>
        ))}
      </select>
    </label>
  );
}
