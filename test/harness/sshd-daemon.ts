// Starts sshd so that whatever outlives its connection is taken in by the daemon, and its end noticed at once.
import { setTimeout as sleep } from "node:timers/promises";
import { descendants, kill, type ProcessInfo } from "./process-table.ts";
import { startProgram, type RunningProgram } from "./processes.ts";

export const SSHD = "/usr/sbin/sshd";

/** prctl(2), where the system has a number for it that we know. */
const PRCTL = { x64: 157, arm64: 167 }[process.arch as string];
const PR_SET_CHILD_SUBREAPER = 36;
const POLL_MS = 5;

/**
 * Starts a daemon. An account cannot be removed while one of its processes has not been waited for, and the first process
 * of containers and small machines takes seconds over that: with the daemon in its place orphans are gone at once, since
 * sshd waits for any child.
 */
export async function startSshdDaemon(config: string): Promise<RunningProgram> {
  const command = [SSHD, "-D", "-e", "-f", config];
  const program =
    PRCTL === undefined
      ? startProgram(command[0]!, command.slice(1))
      : startProgram("perl", [
          "-e",
          // Goes through exec(), and is not handed on to children.
          `syscall(${PRCTL}, ${PR_SET_CHILD_SUBREAPER}, 1, 0, 0, 0) == 0 or die $!; exec { $ARGV[0] } @ARGV or die $!`,
          ...command,
        ]);
  await program.waitFor(/Server listening on \d+\./);
  return program;
}

/** Kills all connections of a daemon, and what they left, until it has waited for the last one. It goes on itself. */
export async function endConnections(daemon: RunningProgram): Promise<void> {
  const left = (): ProcessInfo[] => descendants(daemon.child.pid!);
  while (daemon.child.exitCode === null && daemon.child.signalCode === null) {
    const found = left();
    if (found.length === 0) break;
    for (const { pid } of found) kill(pid);
    await sleep(POLL_MS);
  }
}
