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
  addon: true,
} as const;
const bare = { accessLog: false, watch: false } as const;

const variants = (ingress: OursOptions["ingress"], about: string): Setup[] => [
  ours(ingress, `ours, ${about}, as shipped`, { ...shipped, ingress }),
  ours(`${ingress}-nolog`, `${ingress} without access log`, {
    ...shipped,
    ingress,
    accessLog: false,
  }),
  ours(`${ingress}-nowatch`, `${ingress}, the client does not watch requests`, {
    ...shipped,
    ingress,
    watch: false,
  }),
  ours(`${ingress}-bare`, `${ingress}, neither logged nor watched`, {
    ...shipped,
    ...bare,
    ingress,
  }),
  ours(`${ingress}-js`, `${ingress} without ssh2's native addon`, {
    ...shipped,
    ingress,
    addon: false,
  }),
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
