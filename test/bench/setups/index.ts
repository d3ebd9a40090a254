// All set-ups, in the order in which tables show them.
import type { Setup } from "../model.ts";
import { direct, proxies } from "./direct.ts";
import { ours, type OursOptions } from "./ours.ts";
import { peers } from "./peers.ts";
import { sshRemote } from "./ssh-remote.ts";

const shipped = {
  client: "ours",
  accessLog: true,
  watch: true,
  inspect: true,
  addon: true,
} as const;
const bare = { accessLog: false, watch: false, inspect: false } as const;

const variants = (ingress: OursOptions["ingress"], about: string): Setup[] => [
  ...[2, 4].map((workers) =>
    ours(`${ingress}-${workers}w`, `${ingress} with ${workers} workers`, {
      ...shipped,
      ...{ ingress, workers },
    }),
  ),
  ours(ingress, `ours, ${about}, as shipped`, { ...shipped, ingress }),
  ours(`${ingress}-noinspect`, `${ingress} without the inspector`, {
    ...shipped,
    ingress,
    inspect: false,
  }),
  ours(
    `${ingress}-page`,
    `${ingress} as shipped, with the inspector's page open in Chromium`,
    { ...shipped, ingress, page: true },
  ),
  ours(
    `${ingress}-nolog`,
    `${ingress} without the inspector and without access log`,
    { ...shipped, ingress, inspect: false, accessLog: false },
  ),
  ours(
    `${ingress}-nowatch`,
    `${ingress} without the inspector, and the client does not watch requests`,
    { ...shipped, ingress, inspect: false, watch: false },
  ),
  ours(
    `${ingress}-bare`,
    `${ingress}, neither inspected nor logged nor watched`,
    {
      ...shipped,
      ...bare,
      ingress,
    },
  ),
  ours(
    `${ingress}-js`,
    `${ingress} without the inspector and without ssh2's native addon`,
    { ...shipped, ingress, inspect: false, addon: false },
  ),
];

/** See the file's head. */
export const setups: readonly Setup[] = [
  direct,
  ...proxies,
  ...sshRemote,
  ...variants("embedded", "the edge's own SSH server"),
  ours("embedded-ssh", "a plain OpenSSH client into our embedded server", {
    ...shipped,
    ingress: "embedded",
    client: "ssh",
  }),
  ...variants("openssh", "through sshd"),
  ...peers,
];

/** @throws Error that names them all, when there is none of that name */
export function findSetup(name: string): Setup {
  const found = setups.find((setup) => setup.name === name);
  if (found) return found;
  throw new Error(
    `There is no set-up "${name}"; there are ${setups.map((setup) => setup.name).join(", ")}.`,
  );
}
