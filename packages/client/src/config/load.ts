// Reads the client's configuration file.
import { readFile } from "node:fs/promises";
import { dirname } from "node:path";
import type { UpstreamSpec } from "@expose/protocol";
import { ExposeError } from "../errors.ts";
import type { HistoryOptions, WebhookOptions } from "../options.ts";
import { checkConfig } from "./check.ts";
import { expandHome, locateConfig, type ConfigLocation } from "./locate.ts";
import type { ConfigFile } from "./schema.ts";
import { parseYamlFile } from "./yaml-file.ts";

/** A tunnel of the file; paths are absolute. */
export interface ConfiguredTunnel {
  readonly upstream: UpstreamSpec;
  readonly name: string | undefined;
  readonly hostHeader: string | undefined;
  readonly upstreamCa: string | undefined;
}

/** The configuration file, complete and frozen. Paths are absolute; what the file does not say is undefined. */
export interface ClientConfig {
  /** The file's path, whether it exists or not. */
  readonly path: string;
  readonly exists: boolean;
  readonly server: string | undefined;
  readonly identity: readonly string[] | undefined;
  readonly acceptNewHostKey: boolean | undefined;
  readonly knownHosts: readonly string[] | undefined;
  /** In the order of the file. */
  readonly tunnels: ReadonlyMap<string, ConfiguredTunnel>;
  readonly inspect: ConfiguredInspector;
  readonly webhooks: Readonly<Record<string, WebhookOptions>>;
}

/** The inspector, as the file has it. */
export interface ConfiguredInspector {
  readonly enabled: boolean | undefined;
  readonly port: number | undefined;
  readonly keepSecrets: boolean | undefined;
  readonly history: Readonly<HistoryOptions>;
}

/**
 * Reads the file. One that nobody named may be missing.
 *
 * @throws ExposeError `config-unreadable`; `config-invalid` with every mistake and its line
 */
export async function loadClientConfig(
  location: ConfigLocation,
): Promise<ClientConfig> {
  const { path, named } = locateConfig(location);
  const text = await readText(path, named);
  const file = checkConfig(path, parseYamlFile(path, text ?? ""));
  return complete(file, path, text !== undefined, location.home);
}

async function readText(
  path: string,
  named: boolean,
): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" && !named) return undefined;
    throw new ExposeError(
      "config-unreadable",
      code === "ENOENT"
        ? `The configuration file ${path} does not exist. Look at --config and EXPOSE_CONFIG, or write it with \`expose login user@host\`.`
        : `The configuration file ${path} cannot be read (${code}). Look at its permissions.`,
      { cause: error },
    );
  }
}

function complete(
  file: ConfigFile,
  path: string,
  exists: boolean,
  home: string,
): ClientConfig {
  const absolute = (written: string): string =>
    expandHome(written, home, dirname(path));
  const tunnels = Object.entries(file.tunnels ?? {}).map(
    ([key, tunnel]) =>
      [
        key,
        Object.freeze({
          // The schema holds that one of them is there.
          upstream: absoluteFolder(
            (tunnel.upstream ?? tunnel.addr ?? tunnel.port)!,
            absolute,
          ),
          name: tunnel.name ?? tunnel.subdomain,
          hostHeader: tunnel["host-header"],
          upstreamCa: mapped(tunnel["upstream-ca"], absolute),
        }),
      ] as const,
  );
  return Object.freeze({
    path,
    exists,
    server: file.server,
    identity: mapped(file.identity, (list) => list.map(absolute)),
    acceptNewHostKey: file["accept-new-host-key"],
    knownHosts: mapped(file["known-hosts"], (list) => list.map(absolute)),
    tunnels: new Map(tunnels),
    inspect: completeInspect(file.inspect ?? {}),
    webhooks: Object.freeze(
      Object.fromEntries(
        Object.entries(file.webhooks ?? {}).map(([name, webhook]) => [
          name,
          Object.freeze({
            secretEnv: webhook["secret-env"],
            header: webhook.header,
            algorithm: webhook.algorithm,
            encoding: webhook.encoding,
            prefix: webhook.prefix,
            secretEncoding: webhook["secret-encoding"],
          }),
        ]),
      ),
    ),
  });
}

function completeInspect(
  inspect: NonNullable<ConfigFile["inspect"]>,
): ConfiguredInspector {
  const { history = {} } = inspect;
  return Object.freeze({
    enabled: inspect.enabled,
    port: inspect.port,
    keepSecrets: inspect["keep-secrets"],
    history: Object.freeze({
      enabled: history.enabled,
      maxBytes: history["max-bytes"],
      maxExchanges: history["max-exchanges"],
      maxAgeDays: history["max-age-days"],
      maxBodyBytes: history["max-body-bytes"],
    }),
  });
}

// "./dist" in a file is beside the file, wherever the command is called.
const absoluteFolder = (
  spec: UpstreamSpec,
  absolute: (path: string) => string,
): UpstreamSpec =>
  spec.kind === "folder" ? { ...spec, path: absolute(spec.path) } : spec;

const mapped = <T, U>(value: T | undefined, map: (value: T) => U) =>
  value === undefined ? undefined : map(value);
