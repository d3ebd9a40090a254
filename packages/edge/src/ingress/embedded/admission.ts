// How many connections may be open that have not logged in. They cost memory and a login's crypto, and anybody can
// open them.

/** Bounds on what strangers hold. */
export interface Admission {
  /**
   * Lets a connection in, or not.
   * @param address textual IP address it comes from
   * @param evict called when it has to make room for another
   * @returns a function to call once when it has logged in or closed; undefined when its address has too many already
   */
  admit(
    address: string | undefined,
    evict: () => void,
  ): (() => void) | undefined;
  /** Connections that have not logged in. */
  readonly size: number;
}

interface Stranger {
  readonly network: string;
  readonly evict: () => void;
}

/**
 * Counts strangers. When all places are taken the oldest makes room: who floods the edge would have to do so faster
 * than an honest client logs in, while refusing the newest would lock everyone out at no cost. Within one address the
 * newest is refused, so that of a whole office coming back at once the first get through.
 */
export function createAdmission(
  maxTotal: number,
  maxPerAddress: number,
): Admission {
  const strangers = new Set<Stranger>();
  const perNetwork = new Map<string, number>();

  function release(stranger: Stranger): void {
    if (!strangers.delete(stranger)) return;
    const left = (perNetwork.get(stranger.network) ?? 1) - 1;
    if (left > 0) perNetwork.set(stranger.network, left);
    else perNetwork.delete(stranger.network);
  }

  return {
    admit(address, evict) {
      const network = networkOf(address ?? "");
      const others = perNetwork.get(network) ?? 0;
      if (others >= maxPerAddress) return undefined;
      if (strangers.size >= maxTotal) {
        const [oldest] = strangers;
        if (oldest) {
          release(oldest);
          oldest.evict();
        }
      }
      const stranger = { network, evict };
      strangers.add(stranger);
      perNetwork.set(network, (perNetwork.get(network) ?? 0) + 1);
      return () => release(stranger);
    },
    get size() {
      return strangers.size;
    },
  };
}

/**
 * Whom an address stands for: itself with IPv4, its /64 with IPv6, since whoever has one address of it has all.
 * Exported for its test.
 */
export function networkOf(address: string): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address);
  if (mapped?.[1] !== undefined) return mapped[1];
  if (!address.includes(":")) return address;
  const [head = "", tail] = (address.split("%")[0] ?? "").split("::");
  const groups = head === "" ? [] : head.split(":");
  if (tail !== undefined) {
    const after = tail === "" ? 0 : tail.split(":").length;
    while (groups.length + after < 8) groups.push("0");
  }
  return groups
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(":");
}
