// The filter's syntax, from the same table as its parser.
import { filterKeys, filterRules } from "@expose/protocol/filter-syntax";
import type { JSX } from "preact";

export interface FilterSyntaxProps {
  /** Called with an example that somebody wants to try. */
  readonly onTry?: (example: string) => void;
}

export function FilterSyntax({ onTry }: FilterSyntaxProps): JSX.Element {
  return (
    <div class="filter-syntax">
      <ul>
        {filterRules.map((rule) => (
          <li key={rule}>{withCode(rule)}</li>
        ))}
      </ul>
      <dl>
        {filterKeys.map(({ key, meaning, values, example }) => (
          <div key={key}>
            <dt>
              {onTry ? (
                <button
                  type="button"
                  class="link"
                  onClick={() => onTry(example)}
                >
                  <code>{example}</code>
                </button>
              ) : (
                <code>{example}</code>
              )}
            </dt>
            <dd>
              {withCode(meaning)} <span class="quiet">{values}</span>
            </dd>
          </div>
        ))}
      </dl>
    </div>
  );
}

/** The table's sentences set code in backticks. */
function withCode(text: string): (JSX.Element | string)[] {
  return text
    .split("`")
    .map((piece, index) =>
      index % 2 === 1 ? <code key={index}>{piece}</code> : piece,
    );
}
