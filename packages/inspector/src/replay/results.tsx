// What came of a replay that was sent many times, or not at all.
import type { ReplayAnswer } from "@expose/protocol";
import type { JSX } from "preact";
import { Table } from "../ui/table.tsx";

export interface ReplayResultsProps {
  readonly answer: ReplayAnswer;
  onShow(id: string): void;
}

export function ReplayResults(props: ReplayResultsProps): JSX.Element {
  const { results } = props.answer;
  return (
    <>
      <p role="status">
        {`Sent ${results.length} times: ${countDiffering(results)} the class of the original.`}
      </p>
      <Table
        look="changes"
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
    <td class={same ? "" : "tone-bad"}>{same ? "● same" : "▲ differs"}</td>
  );
}
