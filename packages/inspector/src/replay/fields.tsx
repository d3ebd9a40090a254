// Fields that the forms of this folder share.
import type { JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";
import type { Aim } from "./draft.ts";

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

export interface AimFieldsProps {
  readonly aim: Aim;
  /** Providers whose secret is configured. */
  readonly secrets: readonly string[];
  /** Where it goes when nothing is said. */
  readonly usual: string;
  onAim(changes: Partial<Aim>): void;
}

/** Where to, and whom to sign for; that one only if there is a secret to sign with. */
export function AimFields(props: AimFieldsProps): JSX.Element {
  const { aim, secrets, usual, onAim } = props;
  return (
    <>
      <TextField
        label="To another local service"
        name="upstream"
        grow
        placeholder={usual}
        value={aim.upstream}
        onValue={(upstream) => onAim({ upstream })}
      />
      {secrets.length > 0 && (
        <label>
          Sign again for
          <select
            name="sign"
            value={aim.sign}
            onChange={(event) => onAim({ sign: event.currentTarget.value })}
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
    </>
  );
}

/** Whether to send what has lost its secrets. */
export function WithoutSecretsField(props: {
  aim: Aim;
  label: string;
  onAim(changes: Partial<Aim>): void;
}): JSX.Element {
  return (
    <label class="check">
      <input
        type="checkbox"
        name="withoutSecrets"
        checked={props.aim.withoutSecrets}
        onChange={(event) =>
          props.onAim({ withoutSecrets: event.currentTarget.checked })
        }
      />
      {props.label}
    </label>
  );
}

export interface TextAreaProps {
  readonly label: string;
  readonly name: string;
  readonly rows: number;
  readonly value: string;
  onValue(value: string): void;
}

export function TextArea(props: TextAreaProps): JSX.Element {
  return (
    <label>
      {props.label}
      <textarea
        name={props.name}
        rows={props.rows}
        spellcheck={false}
        value={props.value}
        onInput={(event) => props.onValue(event.currentTarget.value)}
      />
    </label>
  );
}
