// Which connections count as those of one visitor.
import { isIPv6 } from "node:net";

/**
 * What counts as one visitor: an IPv4 address, or the /64 that an IPv6 address is in, since whoever has one of its
 * addresses has them all.
 */
export function visitorKey(address: string): string {
  if (!isIPv6(address)) return address;
  const [left = "", right] = address.split("::", 2);
  const groups = left === "" ? [] : left.split(":");
  if (right !== undefined) {
    const tail = right === "" ? [] : right.split(":");
    while (groups.length + tail.length < 8) groups.push("0");
    groups.push(...tail);
  }
  return groups
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(":");
}
