// Finds out before a tunnel is opened what can never work: a folder that is none, authorities that cannot be read.
import { X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { stat } from "node:fs/promises";
import { formatUpstreamSpec, type UpstreamSpec } from "@expose/protocol";
import { ExposeError } from "../errors.ts";
import { createDialer } from "./dial.ts";
import { explainDialError } from "./dial-error.ts";
import { resolveFolder } from "./folder-path.ts";

/**
 * Checks what has to hold before a tunnel is worth opening. Whether the service answers is no part of it: it may be
 * started later.
 *
 * @param options.ca PEM file of authorities
 * @throws ExposeError `upstream-invalid`, with what to do
 */
export async function validateUpstream(
  spec: UpstreamSpec,
  options: { ca?: string | undefined } = {},
): Promise<void> {
  if (spec.kind === "folder") await checkFolder(spec.path);
  if (spec.kind === "unix") checkSocketPath(spec.path);
  if (options.ca === undefined) return;
  if (spec.kind !== "tls" || !spec.verify)
    throw invalid(
      `--upstream-ca has no effect on ${formatUpstreamSpec(spec)}: write https://host:port, or leave the option away.`,
    );
  readAuthorities(options.ca);
}

/**
 * Dials the service once and hangs up.
 *
 * @returns undefined when something answers, else why not, in one sentence
 * @throws ExposeError `upstream-invalid`, and the signal's reason once it fires
 */
export async function probeUpstream(
  spec: UpstreamSpec,
  options: { ca?: string | undefined; signal?: AbortSignal | undefined } = {},
): Promise<string | undefined> {
  await validateUpstream(spec, options);
  const dialer = createDialer(
    spec,
    options.ca === undefined ? undefined : readAuthorities(options.ca),
  );
  const { signal = new AbortController().signal } = options;
  try {
    (await dialer.dial(signal)).destroy();
    return undefined;
  } catch (error) {
    signal.throwIfAborted();
    return explainDialError(spec, error).reason;
  } finally {
    dialer.close();
  }
}

/**
 * Reads a PEM file of certificate authorities.
 * @throws ExposeError `upstream-invalid` when it cannot be read, or when a certificate in it cannot
 */
export function readAuthorities(file: string): string {
  let pem: string;
  try {
    pem = readFileSync(file, "utf8");
  } catch (error) {
    throw invalid(
      `The file of --upstream-ca, "${file}", cannot be read (${codeOf(error)}).`,
      error,
    );
  }
  const blocks = pem.match(CERTIFICATE) ?? [];
  if (blocks.length === 0)
    throw invalid(
      `The file of --upstream-ca, "${file}", holds no certificate in PEM form ("-----BEGIN CERTIFICATE-----").`,
    );
  blocks.forEach((block, i) => {
    try {
      new X509Certificate(block);
    } catch (error) {
      throw invalid(
        `Certificate ${i + 1} in the file of --upstream-ca, "${file}", is damaged.`,
        error,
      );
    }
  });
  return pem;
}

const CERTIFICATE =
  /-----BEGIN (?:TRUSTED |X509 )?CERTIFICATE-----[^-]*-----END (?:TRUSTED |X509 )?CERTIFICATE-----/g;

async function checkFolder(path: string): Promise<void> {
  const folder = resolveFolder(path);
  let isFolder: boolean;
  try {
    isFolder = (await stat(folder)).isDirectory();
  } catch (error) {
    throw invalid(
      codeOf(error) === "ENOENT"
        ? `The folder "${path}" does not exist (${folder}). Build it first, or look at the path.`
        : `The folder "${path}" cannot be read (${codeOf(error)}).`,
      error,
    );
  }
  if (!isFolder)
    throw invalid(
      `"${path}" is no folder: give the folder that the file is in.`,
    );
}

// sockaddr_un holds 108 bytes on Linux and 104 elsewhere, one of them the zero at the end.
const MAX_SOCKET_PATH_BYTES = process.platform === "linux" ? 107 : 103;

function checkSocketPath(path: string): void {
  if (Buffer.byteLength(path) > MAX_SOCKET_PATH_BYTES)
    throw invalid(
      `The path of the Unix socket is longer than ${MAX_SOCKET_PATH_BYTES} bytes, the most that the system takes: ${path}`,
    );
}

const invalid = (message: string, cause?: unknown): ExposeError =>
  new ExposeError("upstream-invalid", message, { cause });

const codeOf = (error: unknown): string =>
  (error as NodeJS.ErrnoException).code ?? String(error);
