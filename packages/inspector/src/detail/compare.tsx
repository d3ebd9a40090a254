// The response of a replay beside that of its original, and what differs.
import type { ComparedValue, Comparison } from "@expose/protocol";
import type { JSX } from "preact";
import { call } from "../api/call.ts";
import { comparePath } from "../api/paths.ts";
import { ErrorNote } from "../ui/error-note.tsx";
import { Table } from "../ui/table.tsx";
import { useLoad } from "../ui/use-load.ts";

export interface CompareProps {
  readonly original: string;
  readonly id: string;
}

export function CompareWithOriginal(props: CompareProps): JSX.Element {
  const { original, id } = props;
  const { value, error, reload } = useLoad(
    (signal) => call<Comparison>(comparePath(original, id), { signal }),
    `${original} ${id}`,
  );
  return (
    <section class="compare" aria-label="Compared with the original">
      <h3>Compared with the original</h3>
      {error !== undefined && (
        <ErrorNote error={error} doing="compare" onRetry={reload} />
      )}
      {value && <ComparisonView comparison={value} />}
    </section>
  );
}

function ComparisonView({
  comparison,
}: {
  comparison: Comparison;
}): JSX.Element {
  const { status, headers, body } = comparison;
  const same = status.left === status.right;
  return (
    <div class="comparison">
      <p>
        Status{" "}
        <strong class={same ? "" : "tone-warn"}>
          {same
            ? `${status.left ?? "none"}, the same`
            : `${status.left ?? "none"} → ${status.right ?? "none"}`}
        </strong>
      </p>
      <Changes title="Headers" changes={headers} />
      {body.kind === "same" && <p>Body the same, byte for byte</p>}
      {body.kind === "binary" && (
        <p class="tone-warn">▲ Bodies differ, and are not text</p>
      )}
      {body.kind === "json" && (
        <Changes title="Body (JSON)" changes={body.changes ?? []} />
      )}
      {body.kind === "text" && (
        <>
          <p>Body (text)</p>
          <pre
            class="code diff"
            role="group"
            tabIndex={0}
            aria-label="Differences of the bodies"
          >
            {(body.lines ?? []).map(({ kind, text }, index) => (
              <span key={index} class={`diff-${kind}`}>
                {`${SIGNS[kind]} ${text}\n`}
              </span>
            ))}
          </pre>
        </>
      )}
      {body.truncated && (
        <p class="tone-warn">▲ Only what is kept was compared</p>
      )}
    </div>
  );
}

const SIGNS = { same: " ", added: "+", removed: "−", changed: "±" } as const;

function Changes(props: {
  title: string;
  changes: readonly ComparedValue[];
}): JSX.Element {
  const { title, changes } = props;
  if (changes.length === 0) return <p>{`${title}: the same`}</p>;
  return (
    <Table
      look="changes"
      caption={title}
      columns={["Where", "Original", "Replay"]}
    >
      {changes.map(({ path, kind, left, right }, index) => (
        <tr key={index}>
          <th scope="row">
            <span aria-hidden="true">{SIGNS[kind]} </span>
            {path}
            <span class="unseen">{` ${kind}`}</span>
          </th>
          <td class={left === undefined ? "" : "diff-removed"}>{left}</td>
          <td class={right === undefined ? "" : "diff-added"}>{right}</td>
        </tr>
      ))}
    </Table>
  );
}
