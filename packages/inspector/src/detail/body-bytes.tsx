// A body by its bytes: as text, or in hexadecimal.
import type { JSX } from "preact";
import { useMemo, useState } from "preact/hooks";
import { callBytes } from "../api/call.ts";
import { bodyPath, type Side } from "../api/paths.ts";
import { formatHex } from "../format/hex.ts";
import { Button } from "../ui/button.tsx";
import { ErrorNote } from "../ui/error-note.tsx";
import { useLoad } from "../ui/use-load.ts";
import { CodeView } from "./body-code.tsx";

const STEP_BYTES = 4_096;

export interface BytesViewProps {
  readonly id: string;
  readonly side: Side;
  readonly version: string;
  /** Whether content codings are undone. */
  readonly decoded: boolean;
}

/** The bytes in hexadecimal. */
export function HexView(props: BytesViewProps): JSX.Element {
  return (
    <BytesLoader {...props}>{(bytes) => <Hex bytes={bytes} />}</BytesLoader>
  );
}

/** The bytes as UTF-8; what is none becomes U+FFFD. */
export function TextView(props: BytesViewProps): JSX.Element {
  return (
    <BytesLoader {...props}>{(bytes) => <Text bytes={bytes} />}</BytesLoader>
  );
}

function BytesLoader(
  props: BytesViewProps & { children(bytes: Uint8Array): JSX.Element },
): JSX.Element {
  const { id, side, version, decoded, children } = props;
  const { value, error, reload } = useLoad(
    (signal) => callBytes(bodyPath(id, side, decoded), { signal }),
    `${id} ${side} ${decoded}`,
    version,
  );
  if (error !== undefined)
    return <ErrorNote error={error} doing="load the bytes" onRetry={reload} />;
  if (!value) return <p class="quiet">Loading…</p>;
  return children(value.bytes);
}

function Text({ bytes }: { bytes: Uint8Array }): JSX.Element {
  const text = useMemo(() => new TextDecoder().decode(bytes), [bytes]);
  return <CodeView text={text} language="plain" />;
}

/** Bytes that are here already. */
export function Hex({ bytes }: { bytes: Uint8Array }): JSX.Element {
  const [shown, setShown] = useState(STEP_BYTES);
  return (
    <>
      <pre
        class="code hex"
        role="group"
        tabIndex={0}
        aria-label="Bytes in hexadecimal"
      >
        {formatHex(bytes.subarray(0, shown))}
      </pre>
      {shown < bytes.length && (
        <Button onClick={() => setShown(shown * 4)}>
          {`Show more (${shown} of ${bytes.length} bytes are shown)`}
        </Button>
      )}
    </>
  );
}
