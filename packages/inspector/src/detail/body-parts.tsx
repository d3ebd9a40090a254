// Forms: fields by name, and the parts of a multipart body.
import type { BodyPart, BodyView } from "@expose/protocol";
import type { JSX } from "preact";
import { fromBase64 } from "../format/base64.ts";
import { formatBytes } from "../format/bytes.ts";
import { Table } from "../ui/table.tsx";
import { Hex } from "./body-bytes.tsx";
import { Headers } from "./headers.tsx";

/** Fields of a form. */
export function FieldsView(props: {
  fields: NonNullable<BodyView["fields"]>;
}): JSX.Element {
  return (
    <Table look="fields" columns={["Field", "Value"]}>
      {props.fields.map(({ name, value }, index) => (
        <tr key={index}>
          <th scope="row">{name}</th>
          <td>
            <span class="value">{value}</span>
          </td>
        </tr>
      ))}
    </Table>
  );
}

/** Parts of a multipart body, each with its headers. */
export function PartsView({
  parts,
}: {
  parts: readonly BodyPart[];
}): JSX.Element {
  return (
    <ol class="parts">
      {parts.map((part, index) => (
        <li key={index}>
          <p class="part-head">
            <strong>{part.name ?? `Part ${index + 1}`}</strong>
            {part.filename !== undefined && <code>{part.filename}</code>}
            <span class="quiet">
              {[part.type, formatBytes(part.bytes)].filter(Boolean).join(", ")}
            </span>
          </p>
          <Headers
            title="Headers of the part"
            headers={part.headers}
            redacted={[]}
            folded
          />
          {part.text !== undefined ? (
            <pre
              class="code"
              role="group"
              tabIndex={0}
              aria-label={`Part ${index + 1}`}
            >
              {part.text}
            </pre>
          ) : (
            part.base64 !== undefined && <Hex bytes={fromBase64(part.base64)} />
          )}
        </li>
      ))}
    </ol>
  );
}
