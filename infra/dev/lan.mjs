// How other devices of the local network reach this machine: its address, and a name that any resolver turns into it.
import { isIPv4 } from "node:net";
import { networkInterfaces } from "node:os";

/**
 * @param {{ address?: string, domain?: string }} [wanted]
 * @returns {{ address: string, domain: string }} `domain` has the address in it, as `192-168-1-5.sslip.io`
 * @throws when there is no such address
 */
export function findLan({
  address = firstAddress(),
  domain = "sslip.io",
} = {}) {
  if (address === undefined)
    throw new Error(
      "This machine has no IPv4 address in a network; --lan-address names one.",
    );
  if (!isIPv4(address))
    throw new Error(`--lan-address ${address} is no IPv4 address.`);
  return { address, domain: `${address.replaceAll(".", "-")}.${domain}` };
}

const firstAddress = () =>
  Object.values(networkInterfaces())
    .flat()
    .find((entry) => entry.family === "IPv4" && !entry.internal)?.address;
