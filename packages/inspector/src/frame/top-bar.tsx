// The page's head: the tunnels, whether the client is there, and what can be done with all requests.
import type { InspectedTunnel } from "@expose/protocol";
import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { exportAllPath } from "../api/paths.ts";
import { webAddress } from "../format/web-address.ts";
import type { SessionState } from "../state/session.ts";
import { Button } from "../ui/button.tsx";
import { CopyButton } from "../ui/copy-button.tsx";
import { download } from "../ui/download.ts";
import { ErrorNote } from "../ui/error-note.tsx";
import { Icon } from "../ui/icon.tsx";

export interface TopBarProps {
  readonly client: SessionState;
  readonly filter: string;
  readonly paused: boolean;
  readonly held: number;
  onPause(paused: boolean): void;
  onReplayMany(): void;
  onHelp(): void;
  onClear(): Promise<void>;
}

export function TopBar(props: TopBarProps): JSX.Element {
  const { client, paused, held, filter } = props;
  const [failure, setFailure] = useState<{ doing: string; error: unknown }>();
  const attempt = async (doing: string, work: Promise<void>): Promise<void> => {
    setFailure(undefined);
    await work.catch((error: unknown) => setFailure({ doing, error }));
  };
  return (
    <header class="top-bar">
      <h1 class="brand">
        <span aria-hidden="true" class="brand-mark">
          <Icon name="arrow" />
        </span>
        expose
      </h1>
      <ul class="tunnels" aria-label="Tunnels">
        {client.status?.tunnels.map((tunnel) => (
          <Tunnel key={tunnel.name + tunnel.url} tunnel={tunnel} />
        ))}
      </ul>
      <Connection client={client} />
      <div class="top-actions">
        <Button
          look={paused ? "strong" : undefined}
          icon={paused ? "play" : "pause"}
          title="Pause or follow (p)"
          pressed={paused}
          onClick={() => props.onPause(!paused)}
        >
          <span>
            {paused ? `Follow${held > 0 ? ` (${held} new)` : ""}` : "Pause"}
          </span>
        </Button>
        <Button
          icon="many"
          label="Replay many"
          title="Replay the last ones that match (m)"
          onClick={props.onReplayMany}
        >
          <span class="wide-only">Replay many</span>
        </Button>
        <Button
          icon="download"
          label="Download HAR"
          title="Download all that match as HAR"
          onClick={() =>
            void attempt(
              "make the HAR",
              download(exportAllPath(filter), "expose.har"),
            )
          }
        >
          <span class="wide-only">HAR</span>
        </Button>
        <ClearButton
          onClear={() => void attempt("clear the history", props.onClear())}
        />
        <Button
          look="round"
          icon="help"
          label="Help and keys"
          title="Help and keys (?)"
          onClick={props.onHelp}
        />
      </div>
      {failure && <ErrorNote {...failure} />}
    </header>
  );
}

function Tunnel({ tunnel }: { tunnel: InspectedTunnel }): JSX.Element {
  const address = webAddress(tunnel.url);
  const isOnline = tunnel.state === "online";
  return (
    <li class="tunnel">
      <span class={isOnline ? "tone-good" : "tone-warn"} aria-hidden="true">
        {isOnline ? "●" : "▲"}
      </span>
      {address ? (
        <a href={address} target="_blank" rel="noreferrer noopener">
          {tunnel.url}
        </a>
      ) : (
        <span>{tunnel.url}</span>
      )}
      <CopyButton what={`URL of ${tunnel.name}`} text={tunnel.url} />
      <span class="quiet tunnel-to">{`→ ${tunnel.upstream}`}</span>
      {!isOnline && <span class="tone-warn">{tunnel.state}</span>}
      {tunnel.latencyMs !== undefined && (
        <span class="quiet tunnel-latency" title="Round trip to the server">
          {`${Math.round(tunnel.latencyMs)} ms`}
        </span>
      )}
    </li>
  );
}

function Connection({ client }: { client: SessionState }): JSX.Element {
  return (
    <p class="connection" role="status">
      {client.connection === "lost" && (
        <span class="banner tone-bad">
          ■ The client does not answer. Trying again…
        </span>
      )}
      {client.outdated && (
        <Button onClick={() => location.reload()}>
          Another version of the client runs now: load the page anew
        </Button>
      )}
    </p>
  );
}

/** Asks once more, in its own place. */
function ClearButton({ onClear }: { onClear(): void }): JSX.Element {
  const [asked, setAsked] = useState(false);
  if (!asked)
    return (
      <Button
        icon="trash"
        label="Clear"
        title="Forget every request, on disk too"
        onClick={() => setAsked(true)}
      >
        <span class="wide-only">Clear</span>
      </Button>
    );
  return (
    <button
      type="button"
      class="button danger"
      ref={(element) => element?.focus()}
      onBlur={() => setAsked(false)}
      onClick={() => {
        setAsked(false);
        onClear();
      }}
    >
      Really forget all?
    </button>
  );
}
