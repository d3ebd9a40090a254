// A table of header lines as they stood on the wire.
import type { HeaderLine } from "@expose/protocol";
import type { JSX } from "preact";
import { CopyButton } from "../ui/copy-button.tsx";

export interface HeadersProps {
  readonly title: string;
  readonly headers: readonly HeaderLine[];
  /** Lower-case names of those whose values are gone. */
  readonly redacted: readonly string[];
  readonly folded?: boolean;
}

export function Headers(props: HeadersProps): JSX.Element {
  const { title, headers, redacted, folded } = props;
  return (
    <div class="headers">
      {headers.length > 0 && (
        <CopyButton
          what={title.toLowerCase()}
          text={headers.map((line) => line.join(": ")).join("\n")}
        />
      )}
      <details open={!folded}>
        <summary>
          {title} <span class="quiet">{headers.length}</span>
        </summary>
        <table>
          <tbody>
            {headers.map(([name, value], index) => (
              <tr key={index}>
                <th scope="row">{name}</th>
                <td>
                  <CopyButton what={`header ${name}`} text={value} />
                  {isRedacted(name, value, redacted) ? (
                    <span
                      class="redacted"
                      title="The history does not keep it; only the client that saw it had it, while it ran"
                    >
                      redacted
                    </span>
                  ) : (
                    <span class="value">{value}</span>
                  )}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </details>
    </div>
  );
}

const isRedacted = (
  name: string,
  value: string,
  redacted: readonly string[],
): boolean => value === "[redacted]" && redacted.includes(name.toLowerCase());
