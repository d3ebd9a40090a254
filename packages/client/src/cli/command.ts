// What a command is, and what it gets from whoever runs it.
import type { Prompt } from "../options.ts";
import type { CliIo } from "./io.ts";
import type { OptionKey } from "./option-table.ts";

/** The parsed options, by their keys in the option table. */
export interface Flags {
  subdomain?: string;
  url?: string;
  domain?: string;
  server?: string;
  hostHeader?: string;
  identity?: string[];
  upstreamCa?: string;
  json?: boolean;
  quiet?: boolean;
  qr?: boolean;
  acceptNewHostKey?: boolean;
  config?: string;
  color?: boolean;
  bare?: boolean;
  remotePort?: string;
  all?: boolean;
  inspect?: boolean;
  inspectPort?: string;
  apiToken?: string;
  keepSecrets?: boolean;
  follow?: boolean;
  limit?: string;
  body?: string;
  last?: string | true;
  filter?: string;
  edit?: boolean;
  times?: string;
  upstream?: string;
  sign?: string;
  withoutSecrets?: boolean;
  to?: string;
  as?: string;
  force?: boolean;
  withSecrets?: boolean;
}

/** What a command gets from whoever runs it. */
export interface CommandContext {
  readonly io: CliIo;
  /** Fires at the first Ctrl-C: end gracefully, which may take a second. */
  readonly signal: AbortSignal;
  /** Absent when nobody can be asked. */
  readonly prompt: Prompt | undefined;
}

/**
 * Runs a command to its end.
 * @returns the exit status
 * @throws ExposeError what the person can act on; anything else is a bug
 */
export type CommandRun = (
  context: CommandContext,
  args: readonly string[],
  flags: Flags,
) => Promise<number>;

/** One command. */
export interface CommandSpec {
  name: string;
  /** As commander writes them: `<target>`, `[names...]`. */
  args: readonly { name: string; description: string }[];
  summary: string;
  /** More for the command's own help, in whole sentences. */
  description?: string;
  options: readonly OptionKey[];
  /** Gives what stands between the options and the examples of the help. */
  notes?(): string;
  /** Command lines that work, for the help and for docs/cli.md. */
  examples: readonly string[];
  /** Everything behind the first argument belongs to somebody else's command line. */
  passThrough?: boolean;
  /** The first Ctrl-C is passed on, and what follows may take longer than a second. */
  endsInItsOwnTime?: boolean;
  load(): Promise<{ run: CommandRun }>;
}
