// What came of a replay that was sent many times, or not at all.
import type { ReplayAnswer } from "@expose/protocol";
import type { JSX } from "preact";

export interface ReplayResultsProps {
  readonly answer: ReplayAnswer;
  onShow(id: string): void;
}

export function ReplayResults(props: ReplayResultsProps): JSX.Element {
  const { results } = props.answer;
  const differing = results.filter(({ sameClass }) => !sameClass).length;
  return (
    <>
      <p role="status">
        {differing === 0
          ? `Sent ${results.length} times: all in the class of the original.`
          : `Sent ${results.length} times: ${differing} not in the class of the original.`}
      </p>
      <table class="changes">
        <caption>Responses</caption>
        <thead>
          <tr>
            <th scope="col">No.</th>
            <th scope="col">Status</th>
            <th scope="col">Class</th>
            <th scope="col">Exchange</th>
          </tr>
        </thead>
        <tbody>
          {results.map((result, index) => (
            <tr key={index}>
              <td>{index + 1}</td>
              <td>{result.error?.message ?? result.status ?? "none"}</td>
              <td class={result.sameClass ? "" : "tone-bad"}>
                {result.sameClass ? "● same" : "▲ differs"}
              </td>
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
        </tbody>
      </table>
    </>
  );
}
