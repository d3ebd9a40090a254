// Recognises a dev server that refuses the tunnel's host name, and names the line that mends it. Works on a copy of
// what the service says: it delays nothing, changes nothing, and keeps a bounded piece of error answers alone.
import type { Hint } from "../tunnel.ts";
import { refusingFrameworks, type Framework } from "./refusing-frameworks.ts";

/** Settings of {@link createRefusedHostWatcher}. */
export interface RefusedHostOptions {
  /** Hears once per framework. */
  onHint: (hint: Hint) => void;
  /** The tunnel's URL; asked when there is something to hint at. */
  publicUrl: () => string;
}

/** Looks at the answers of one tunnel's service. */
export interface RefusedHostWatcher {
  /** @returns what is to see each chunk that comes from the service on one connection; it keeps none of them */
  watchConnection(): (chunk: Buffer) => void;
}

// Rails sends some six kilobytes of styles before it says what is wrong; the rest say it at once.
const MAX_BYTES = 16 * 1_024;
// Each chunk means another look at what came before it.
const MAX_CHUNKS = 16;

/**
 * Looks only at answers that begin with a chunk of their own, which is how servers write them, and understands no
 * compressed ones.
 */
export function createRefusedHostWatcher(
  options: RefusedHostOptions,
): RefusedHostWatcher {
  const said = new Set<Framework>();

  function hint(framework: Framework): void {
    if (said.has(framework)) return;
    said.add(framework);
    const host = hostOf(options.publicUrl());
    options.onHint({
      code: "host-refused",
      message: `${framework.name} refuses the host name${host ? ` ${host}` : " of the tunnel"}.`,
      fix: framework.fix(host?.replace(/^[^.]+/, "") ?? ".example.com"),
    });
  }

  return {
    watchConnection() {
      let seen = "";
      let chunksLeft = 0;
      return (chunk) => {
        if (beginsAnswer(chunk)) {
          seen = "";
          chunksLeft = isRefusal(chunk) ? MAX_CHUNKS : 0;
        }
        if (chunksLeft === 0) return;
        seen += chunk.toString("latin1", 0, MAX_BYTES - seen.length);
        const framework = refusingFrameworks.find(({ sign }) =>
          sign.test(seen),
        );
        chunksLeft = framework || seen.length >= MAX_BYTES ? 0 : chunksLeft - 1;
        if (chunksLeft === 0) seen = "";
        if (framework) hint(framework);
      };
    },
  };
}

// "HTTP/1.1 403": the first byte alone sorts out nearly all chunks.
const beginsAnswer = (chunk: Buffer): boolean =>
  chunk[0] === 0x48 &&
  chunk.length > 9 &&
  chunk.toString("latin1", 0, 7) === "HTTP/1.";
const isRefusal = (chunk: Buffer): boolean => chunk[9] === 0x34;

// The edge says what the URL is; only what is a host name gets into a line that a person may copy.
function hostOf(url: string): string | undefined {
  const host = URL.canParse(url) ? new URL(url).hostname : "";
  return /^[a-z0-9-]+(?:\.[a-z0-9-]+)+$/.test(host) ? host : undefined;
}
