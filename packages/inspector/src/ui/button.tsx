// A button that does something on this page.
import type { ComponentChildren, JSX } from "preact";
import { Icon, type IconName } from "./icon.tsx";

export interface ButtonProps {
  /** Default: a quiet one. */
  readonly look?: "strong" | "small" | "round" | undefined;
  readonly icon?: IconName;
  /** Its name, where what is on it says less. */
  readonly label?: string;
  /** What it does, with its key. */
  readonly title?: string;
  readonly disabled?: boolean;
  /** For one that is on or off. */
  readonly pressed?: boolean;
  readonly children?: ComponentChildren;
  onClick(): void;
}

export function Button(props: ButtonProps): JSX.Element {
  const { look, icon } = props;
  return (
    <button
      type="button"
      class={look ? `button ${look}` : "button"}
      aria-label={props.label}
      aria-pressed={props.pressed}
      title={props.title}
      disabled={props.disabled}
      onClick={() => props.onClick()}
    >
      {icon && <Icon name={icon} />}
      {props.children}
    </button>
  );
}
