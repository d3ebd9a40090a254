// A client through the Node API, for what the command line has no flag for: many tunnels, and no watching of requests.
// The first argument is JSON: { session: SessionOptions, port, names }. Prints a line when all tunnels are open.
import { expose, type SessionOptions } from "@expose/client";

/** What it is told. */
export interface ApiClientTask {
  readonly session: SessionOptions;
  readonly port: number;
  /** Each on an SSH connection of its own. */
  readonly names: readonly string[];
}

const { session, port, names } = JSON.parse(
  process.argv[2] ?? "",
) as ApiClientTask;
for (const name of names) await expose({ ...session, port, name });
process.stdout.write("all open\n");
