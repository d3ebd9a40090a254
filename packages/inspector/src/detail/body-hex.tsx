// A body as bytes: offset, hexadecimal, and what can be read of them.
import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { callBytes } from "../api/call.ts";
import { bodyPath, type Side } from "../api/paths.ts";
import { formatHex } from "../format/hex.ts";
import { ErrorNote } from "../ui/error-note.tsx";
import { useLoad } from "../ui/use-load.ts";

const STEP_BYTES = 4_096;

export interface HexViewProps {
  readonly id: string;
  readonly side: Side;
  readonly version: string;
}

/** The bytes as they passed, no coding undone. */
export function HexView({ id, side, version }: HexViewProps): JSX.Element {
  const { value, error, reload } = useLoad(
    (signal) => callBytes(bodyPath(id, side, false), { signal }),
    `${id} ${side}`,
    version,
  );
  if (error !== undefined)
    return <ErrorNote error={error} doing="load the bytes" onRetry={reload} />;
  if (!value) return <p class="quiet">Loading…</p>;
  return <Hex bytes={value.bytes} />;
}

/** Bytes that are here already. */
export function Hex({ bytes }: { bytes: Uint8Array }): JSX.Element {
  const [shown, setShown] = useState(STEP_BYTES);
  return (
    <>
      <pre class="code hex" tabIndex={0} aria-label="Bytes in hexadecimal">
        {formatHex(bytes.subarray(0, shown))}
      </pre>
      {shown < bytes.length && (
        <button
          type="button"
          class="button"
          onClick={() => setShown(shown * 4)}
        >
          {`Show more (${shown} of ${bytes.length} bytes are shown)`}
        </button>
      )}
    </>
  );
}
