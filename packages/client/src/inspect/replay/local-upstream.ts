// Which upstreams a replay may go to: this machine and its own network. A captured request has secrets in it, which a slip
// of the keyboard must not carry to a stranger.
import { BlockList, isIP } from "node:net";
import {
  formatUpstreamSpec,
  parseUpstreamSpec,
  UpstreamSpecError,
  type UpstreamSpec,
} from "@expose/protocol";
import { ReplayError } from "./replay-error.ts";

/**
 * Reads the upstream that a caller names.
 *
 * @param known upstreams of open tunnels, as text: somebody has typed those already
 * @throws ReplayError `upstream-refused` for what cannot be read, and for addresses elsewhere
 */
export function checkUpstream(
  text: string,
  known: readonly string[],
): UpstreamSpec {
  let spec: UpstreamSpec;
  try {
    spec = parseUpstreamSpec(text);
  } catch (error) {
    if (!(error instanceof UpstreamSpecError)) throw error;
    throw new ReplayError("upstream-refused", error.message, { cause: error });
  }
  if (isNear(spec) || known.includes(formatUpstreamSpec(spec))) return spec;
  throw new ReplayError(
    "upstream-refused",
    `Replays go to this machine, to private addresses and to upstreams of open tunnels, and ${formatUpstreamSpec(spec)} is none of these. Open a tunnel to it first if you mean it.`,
  );
}

function isNear(spec: UpstreamSpec): boolean {
  if (spec.kind === "unix") return true;
  // A folder answers with files of this machine to whoever asks: that is for tunnels, where somebody chose the folder.
  if (spec.kind === "folder") return false;
  const host = spec.host.toLowerCase();
  // Dialled as the two loopback addresses. Other names lead to wherever a resolver says.
  if (host === "localhost") return true;
  const family = isIP(host);
  return family !== 0 && NEAR.check(host, family === 4 ? "ipv4" : "ipv6");
}

// RFC 1122, 1918 and 4193. Link-local addresses are left out: clouds hand out credentials there.
const NEAR = new BlockList();
NEAR.addSubnet("127.0.0.0", 8, "ipv4");
NEAR.addSubnet("10.0.0.0", 8, "ipv4");
NEAR.addSubnet("172.16.0.0", 12, "ipv4");
NEAR.addSubnet("192.168.0.0", 16, "ipv4");
NEAR.addAddress("::1", "ipv6");
NEAR.addSubnet("fc00::", 7, "ipv6");
