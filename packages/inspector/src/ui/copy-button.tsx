// A button that puts a text into the clipboard and says so.
import type { ComponentChildren, JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import { say } from "./announcer.tsx";
import { Icon } from "./icon.tsx";

const SHOWN_MS = 1_500;

export interface CopyButtonProps {
  /** What it copies, for its name: `URL`, `header Host`. */
  readonly what: string;
  /** Or where it comes from. */
  readonly text: string | (() => Promise<string>);
  readonly children?: ComponentChildren;
  readonly class?: string;
}

export function CopyButton(props: CopyButtonProps): JSX.Element {
  const [state, setState] = useState<"idle" | "done" | "failed">("idle");
  useEffect(() => {
    if (state === "idle") return;
    const timer = setTimeout(() => setState("idle"), SHOWN_MS);
    return () => clearTimeout(timer);
  }, [state]);
  const copy = async (): Promise<void> => {
    try {
      await copyText(props.text);
      setState("done");
      say(`Copied ${props.what}`);
    } catch (error) {
      setState("failed");
      say(`Could not copy ${props.what}: ${String(error)}`);
    }
  };
  return (
    <button
      type="button"
      class={`copy ${props.class ?? ""}`}
      aria-label={`Copy ${props.what}`}
      title={`Copy ${props.what}`}
      onClick={(event) => {
        event.stopPropagation();
        void copy();
      }}
    >
      {state === "idle" ? (
        (props.children ?? <Icon name="copy" />)
      ) : (
        <Icon name={state === "done" ? "check" : "close"} />
      )}
    </button>
  );
}

/** @throws when the text cannot be had, or the browser refuses */
export async function copyText(
  text: string | (() => Promise<string>),
): Promise<void> {
  await navigator.clipboard.writeText(
    typeof text === "string" ? text : await text(),
  );
}
