// `expose-edge keys add|list|remove`: who may log in.
import { EdgeError } from "../errors.ts";
import {
  addKeys,
  readUsersFile,
  removeKeys,
  type UsersFilePlace,
} from "../registry/edit-users-file.ts";
import { removeFromKeysFile } from "../ingress/openssh/keys-file.ts";
import {
  formatOptions,
  KeyLineProblem,
  parseOptions,
  type KeyOptions,
} from "../registry/key-line.ts";
import { UNPRIVILEGED_PORTS } from "../registry/users-file.ts";
import { escapeControls } from "../util/escape.ts";
import type { CliIo } from "./io.ts";
import { readKeys } from "./read-keys.ts";

/** Flags of `keys add`; absent ones leave what the identity has. */
export interface GrantFlags {
  readonly names?: string | undefined;
  readonly maxTunnels?: string | undefined;
  readonly directPorts?: string | undefined;
}

/** Adds keys to an identity. @throws EdgeError */
export async function addCommand(
  place: UsersFilePlace,
  id: string,
  given: string,
  flags: GrantFlags,
  io: CliIo,
): Promise<number> {
  const options = optionsFrom(flags, place);
  const { added, present } = await addKeys(
    place,
    id,
    await readKeys(given, io.stdin),
    options,
  );
  for (const { fingerprint, type } of added)
    io.stdout.write(`added ${fingerprint} (${type}) for ${id}\n`);
  for (const { fingerprint, type } of present)
    io.stdout.write(`${fingerprint} (${type}) was there already for ${id}\n`);
  return 0;
}

/** Shows everybody. @throws EdgeError */
export async function listCommand(
  place: UsersFilePlace,
  flags: { readonly json?: boolean },
  io: CliIo,
): Promise<number> {
  const users = await readUsersFile(place);
  if (flags.json) {
    const list = users.map(({ identity, keys }) => ({
      ...identity,
      keys: keys.map(({ type, fingerprint, comment, line }) => ({
        type,
        fingerprint,
        comment,
        line,
      })),
    }));
    io.stdout.write(`${escapeControls(JSON.stringify(list))}\n`);
    return 0;
  }
  if (users.length === 0) {
    io.stderr.write(
      `Nobody is in ${place.file}. Add somebody with \`expose-edge keys add NAME KEY\`.\n`,
    );
    return 0;
  }
  const rows = users.flatMap(({ identity, keys }) =>
    keys.map((key) => [
      identity.id,
      key.type,
      key.fingerprint,
      formatOptions(identity) || "-",
      key.comment,
    ]),
  );
  for (const line of table([
    ["IDENTITY", "TYPE", "FINGERPRINT", "OPTIONS", "COMMENT"],
    ...rows,
  ]))
    io.stdout.write(`${line}\n`);
  return 0;
}

/**
 * Removes an identity or one key, from what sshd reads as well: no edge may run that would see to it.
 *
 * @param sshdKeysFile `ingress.openssh.keys-file`; it need not exist
 * @throws EdgeError
 */
export async function removeCommand(
  place: UsersFilePlace,
  sshdKeysFile: string,
  idOrFingerprint: string,
  io: CliIo,
): Promise<number> {
  const removed = await removeKeys(place, idOrFingerprint);
  for (const { fingerprint, type } of removed)
    io.stdout.write(`removed ${fingerprint} (${type})\n`);
  await removeFromKeysFile(
    sshdKeysFile,
    new Set(removed.map(({ blob }) => blob.toString("base64"))),
  );
  io.stderr.write(
    "A running edge ends the sessions of removed keys within a second.\n",
  );
  return 0;
}

function optionsFrom(
  flags: GrantFlags,
  place: UsersFilePlace,
): KeyOptions | undefined {
  const options = Object.entries({
    names: flags.names,
    "max-tunnels": flags.maxTunnels,
    "direct-ports": flags.directPorts,
  }).flatMap(([name, value]) =>
    value === undefined ? [] : [`${name}="${value}"`],
  );
  if (options.length === 0) return undefined;
  try {
    return parseOptions(
      options.join(","),
      place.directPorts ?? UNPRIVILEGED_PORTS,
    );
  } catch (error) {
    if (!(error instanceof KeyLineProblem)) throw error;
    throw new EdgeError(
      "usage-invalid",
      `What is to be granted cannot be: ${error.message}.`,
      {
        cause: error,
      },
    );
  }
}

function table(rows: readonly (readonly string[])[]): string[] {
  const widths = rows[0]!.map((_, column) =>
    Math.max(...rows.map((row) => row[column]!.length)),
  );
  return rows.map((row) =>
    escapeControls(
      row.map((cell, column) => cell.padEnd(widths[column]!)).join("  "),
    ).trimEnd(),
  );
}
