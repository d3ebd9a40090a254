// One side of an exchange: start line, headers, body.
import type {
  CapturedRequest,
  CapturedResponse,
  Exchange,
} from "@expose/protocol";
import type { JSX } from "preact";
import type { Side } from "../api/paths.ts";
import { formatBytes } from "../format/bytes.ts";
import { Body } from "./body.tsx";
import { Headers } from "./headers.tsx";

export interface MessageViewProps {
  readonly side: Side;
  readonly exchange: Exchange;
  readonly message: CapturedRequest | CapturedResponse;
  /** Changes when there is more of it. */
  readonly version: string;
}

export function MessageView(props: MessageViewProps): JSX.Element {
  const { side, exchange, message, version } = props;
  const title = side === "request" ? "Request" : "Response";
  return (
    <section class="side" aria-label={title}>
      <h3>
        {title} <span class="quiet start-line">{startLine(message)}</span>
      </h3>
      {"informational" in message &&
        message.informational.map(({ status, headers }, index) => (
          <Headers
            key={index}
            title={`Informational response ${status}`}
            headers={headers}
            redacted={exchange.redacted}
            folded
          />
        ))}
      <Headers
        title="Headers"
        headers={message.headers}
        redacted={exchange.redacted}
      />
      {message.trailers.length > 0 && (
        <Headers
          title="Trailers"
          headers={message.trailers}
          redacted={exchange.redacted}
        />
      )}
      <h4>
        Body <span class="quiet">{describeBody(message)}</span>
      </h4>
      <Body
        key={exchange.id}
        id={exchange.id}
        side={side}
        message={message}
        version={version}
      />
    </section>
  );
}

const startLine = (message: CapturedRequest | CapturedResponse): string =>
  "status" in message
    ? `HTTP/${message.version} ${message.status} ${message.reason}`
    : `${message.method} HTTP/${message.version}`;

function describeBody({ body }: CapturedRequest | CapturedResponse): string {
  if (body.bytes === 0) return "";
  const size = formatBytes(body.bytes);
  return body.keptBytes < body.bytes
    ? `${size}, of which the first ${formatBytes(body.keptBytes)} are kept`
    : size;
}
