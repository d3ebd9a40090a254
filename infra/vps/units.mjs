// Starts the programs of systemd units without systemd: as their accounts and with their capabilities, and no more of it.
import { readFileSync } from "node:fs";

/**
 * Gives the commands of a unit, put as a shell that is root would run them.
 *
 * @param {string} file
 * @returns {{ before: string[], main: string }}
 */
export function readUnit(file) {
  const settings = new Map();
  for (const line of readFileSync(file, "utf8").split("\n")) {
    const [, name, value] = /^(\w+)=(.*)$/.exec(line) ?? [];
    if (name) settings.set(name, [...(settings.get(name) ?? []), value]);
  }
  const one = (name) => settings.get(name)?.at(-1);
  const user = one("User") ?? "root";
  const capabilities = (name) =>
    (one(name) ?? "")
      .split(" ")
      .filter(Boolean)
      .map((capability) => `+${capability.slice("CAP_".length).toLowerCase()}`);
  const ambient = capabilities("AmbientCapabilities");
  const as = [
    "setpriv",
    "--no-new-privs",
    `--bounding-set=${["-all", ...capabilities("CapabilityBoundingSet")].join()}`,
    `--inh-caps=${["-all", ...ambient].join()}`,
    `--ambient-caps=${["-all", ...ambient].join()}`,
    ...(user === "root"
      ? []
      : [`--reuid=${user}`, `--regid=${user}`, "--init-groups"]),
    "--",
  ].join(" ");
  return {
    before: (settings.get("ExecStartPre") ?? []).map(
      (command) => `${as} ${command}`,
    ),
    main: `exec ${as} ${one("ExecStart")}`,
  };
}
