// A picture. Its bytes become one only under a type that cannot hold scripts, and only in an <img>.
import type { BodyView } from "@expose/protocol";
import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import { callBytes } from "../api/call.ts";
import { bodyPath, type Side } from "../api/paths.ts";
import { ErrorNote } from "../ui/error-note.tsx";
import { CodeView } from "./body-code.tsx";
import { HexView } from "./body-bytes.tsx";

/** Raster images. SVG is a document and is shown as its text. */
const SAFE_TYPES = new Set([
  "image/png",
  "image/jpeg",
  "image/gif",
  "image/webp",
  "image/avif",
  "image/bmp",
  "image/x-icon",
  "image/vnd.microsoft.icon",
]);

export interface ImageViewProps {
  readonly id: string;
  readonly side: Side;
  readonly view: BodyView;
  readonly version: string;
}

export function ImageView(props: ImageViewProps): JSX.Element {
  const { id, side, view, version } = props;
  const type = view.type?.toLowerCase() ?? "";
  const [url, setUrl] = useState<string>();
  const [error, setError] = useState<unknown>();
  const [broken, setBroken] = useState(false);
  const [size, setSize] = useState("");
  const safe = SAFE_TYPES.has(type);

  useEffect(() => {
    if (!safe) return;
    const controller = new AbortController();
    let made: string | undefined;
    setBroken(false);
    callBytes(bodyPath(id, side, true), { signal: controller.signal }).then(
      ({ bytes }) => {
        if (controller.signal.aborted) return;
        made = URL.createObjectURL(new Blob([bytes], { type }));
        setUrl(made);
      },
      (reason: unknown) => {
        if (!controller.signal.aborted) setError(reason);
      },
    );
    return () => {
      controller.abort();
      setUrl(undefined);
      if (made) URL.revokeObjectURL(made);
    };
  }, [id, side, type, version]);

  if (!safe)
    return view.text === undefined ? (
      <HexView id={id} side={side} version={version} decoded />
    ) : (
      <CodeView text={view.text} language="plain" error={undefined} />
    );
  if (error !== undefined)
    return <ErrorNote error={error} doing="load the picture" />;
  if (broken)
    return (
      <>
        <p class="note tone-warn">
          ▲ The browser cannot show these bytes as a picture.
        </p>
        <HexView id={id} side={side} version={version} decoded />
      </>
    );
  return (
    <figure class="picture">
      {url && (
        <img
          src={url}
          alt={`Body of the ${side}`}
          onLoad={({ currentTarget: { naturalWidth, naturalHeight } }) =>
            setSize(`${naturalWidth} × ${naturalHeight}`)
          }
          onError={() => setBroken(true)}
        />
      )}
      <figcaption class="quiet">{`${type} ${size}`}</figcaption>
    </figure>
  );
}
