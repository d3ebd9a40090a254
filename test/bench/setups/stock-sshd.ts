// An sshd as Debian ships it, but from a folder and on a port of its own: what people have when they type `ssh -R`.
import { mkdirSync, writeFileSync } from "node:fs";
import { userInfo } from "node:os";
import { freePort } from "../../harness/plain-sshd.ts";
import { stop, type RunningProgram } from "../../harness/processes.ts";
import { createTestAccount } from "../../harness/test-account.ts";
import { kill9, killAccount, processTree } from "../measure/processes.ts";
import type { Place } from "../place.ts";
import { findProgram } from "../programs.ts";
import { tempPath } from "../temp-folder.ts";
import { createKey, type BenchKey } from "./ssh-key.ts";

/** A running sshd. */
export interface StockSshd {
  readonly account: string;
  readonly port: number;
  readonly key: BenchKey;
  readonly pids: () => readonly number[];
  close(): Promise<void>;
}

/** Starts it. As root it gets an account of its own, which `close` removes. */
export async function startStockSshd(place: Place): Promise<StockSshd> {
  const root = process.getuid?.() === 0;
  // As root sshd wants its empty folder for privilege separation, which Debian makes at boot.
  if (root) mkdirSync("/run/sshd", { recursive: true });
  const account = root ? createTestAccount() : undefined;
  const { username } = account ?? userInfo();
  const key = createKey("bench");
  const keys = tempPath("authorized_keys");
  writeFileSync(keys, `${key.publicKey}\n`);
  const port = await freePort();
  const config = tempPath("sshd_config");
  writeFileSync(
    config,
    `Port ${port}
ListenAddress ${place.address}
HostKey ${createKey("host").file}
PidFile none
AuthorizedKeysFile ${keys}
StrictModes no
UsePAM no
PasswordAuthentication no
MaxStartups 1000
`,
  );
  const daemon: RunningProgram = place.start(findProgram("sshd")!, [
    ...["-D", "-e", "-f", config],
  ]);
  await daemon.waitFor(/Server listening on/);
  const pids = (): number[] => [daemon.child.pid!];
  return {
    account: username,
    port,
    key,
    pids,
    async close() {
      for (const pid of processTree(pids())) kill9(pid);
      await stop(daemon);
      if (!account) return;
      await killAccount(account.uid);
      account.remove();
    },
  };
}
