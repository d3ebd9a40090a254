// What came of a replay that was sent many times, or not at all.
import type { ReplayAnswer } from "@expose/protocol";
import type { JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { Table } from "../ui/table.tsx";

export interface ReplayResultsProps {
  readonly answer: ReplayAnswer;
  onShow(id: string): void;
}

export function ReplayResults(props: ReplayResultsProps): JSX.Element {
  const { results } = props.answer;
  return (
    <>
      <Outcome>
        {`Sent ${results.length} times: ${countDiffering(results)} the class of the original.`}
      </Outcome>
      <Table
        look="results"
        caption="Responses"
        columns={["No.", "Status", "Class", "Exchange"]}
      >
        {results.map((result, index) => (
          <tr key={index}>
            <td>{index + 1}</td>
            <td>{result.error?.message ?? result.status ?? "none"}</td>
            <ClassCell same={result.sameClass} />
            <td>
              {result.id !== "" && (
                <button
                  type="button"
                  class="link"
                  aria-label={`Show number ${index + 1}`}
                  onClick={() => props.onShow(result.id)}
                >
                  show
                </button>
              )}
            </td>
          </tr>
        ))}
      </Table>
    </>
  );
}

/** The answer in a sentence, brought into sight: the form above it may be long. */
export function Outcome({ children }: { children: string }): JSX.Element {
  const ref = useRef<HTMLParagraphElement>(null);
  useEffect(() => ref.current?.scrollIntoView({ block: "nearest" }), []);
  return (
    <p role="status" ref={ref}>
      {children}
    </p>
  );
}

/** `all in`, or how many are not in it. */
export function countDiffering(
  results: readonly { readonly sameClass: boolean }[],
): string {
  const differing = results.filter(({ sameClass }) => !sameClass).length;
  return differing === 0 ? "all in" : `${differing} not in`;
}

/** Whether a status has the first digit that it had. */
export function ClassCell({ same }: { same: boolean }): JSX.Element {
  return (
    <td class={same ? "class" : "class tone-bad"}>
      <span aria-hidden="true">{same ? "● " : "▲ "}</span>
      <span class="word">{same ? "same" : "differs"}</span>
    </td>
  );
}
