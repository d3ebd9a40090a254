// A table with a name for each column.
import type { ComponentChildren, JSX } from "preact";

export interface TableProps {
  readonly look: "changes" | "fields" | "results";
  readonly caption?: string;
  readonly columns: readonly string[];
  /** Its rows. */
  readonly children: ComponentChildren;
}

export function Table(props: TableProps): JSX.Element {
  return (
    <table class={props.look}>
      {props.caption !== undefined && <caption>{props.caption}</caption>}
      <thead>
        <tr>
          {props.columns.map((name) => (
            <th key={name} scope="col">
              {name}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>{props.children}</tbody>
    </table>
  );
}
