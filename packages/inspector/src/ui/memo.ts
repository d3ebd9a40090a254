// A component that is drawn anew only when one of its properties differs. preact/compat has it too, with much beside it.
import {
  Component,
  createElement,
  type FunctionComponent,
  type JSX,
} from "preact";

/** Wraps a component. Functions among the properties must stay the same from one time to the next. */
export function memo<P extends object>(
  render: FunctionComponent<P>,
): (props: P) => JSX.Element {
  class Memo extends Component<P> {
    override shouldComponentUpdate(next: Readonly<P>): boolean {
      const names = Object.keys({ ...this.props, ...next }) as (keyof P)[];
      const old = this.props as P;
      return names.some((name) => old[name] !== next[name]);
    }
    override render(): JSX.Element {
      return createElement(render, this.props as P);
    }
  }
  return (props) => createElement(Memo, props);
}
