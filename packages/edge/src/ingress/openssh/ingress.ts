// The openssh ingress: sessions that come through a stock sshd (infra/sshd), one control socket for each identity.
import { findUid } from "./account.ts";
import { prepareControlDir, removeStaleSockets } from "./control-dir.ts";
import { createDoors, type Doors } from "./doors.ts";
import { formatKeysFile, writeKeysFile } from "./keys-file.ts";
import {
  defaultLimits,
  type OpensshIngress,
  type OpensshIngressOptions,
  type OpensshUser,
} from "./options.ts";
import { listenForReaper, type Reaper } from "./reaper.ts";
import { socketName } from "./socket-name.ts";

/** How long the reaper may take to come before the operator is told. It retries each second. */
const REAPER_PATIENCE_MS = 10_000;

/** Builds the ingress. Nothing is touched before `start()`. */
export function createOpensshIngress(
  options: OpensshIngressOptions,
): OpensshIngress {
  const { controlDir, log } = options;
  const limits = { ...defaultLimits, ...options.limits };
  const timers: NodeJS.Timeout[] = [];
  let doors: Doors | undefined;
  let reaper: Reaper | undefined;
  let lastChange: Promise<void> = Promise.resolve();
  let closing: Promise<void> | undefined;

  async function start(): Promise<void> {
    try {
      const { account } = options;
      const uid = account === undefined ? undefined : await findUid(account);
      await prepareControlDir(controlDir);
      reaper = await listenForReaper(controlDir);
      doors = createDoors({ ...options, limits, uid });
      await update();
      await removeStaleSockets(controlDir, namesOf(options.users()));
    } catch (error) {
      await close();
      throw error;
    }
    timers.push(
      setInterval(
        () => reaper?.sweep(limits.sessionlessS),
        limits.sweepEveryMs,
      ).unref(),
      setTimeout(warnWithoutReaper, REAPER_PATIENCE_MS).unref(),
    );
  }

  // One change after the other: two at a time could leave the older one's keys in the file.
  function update(): Promise<void> {
    lastChange = lastChange.catch(() => {}).then(apply);
    return lastChange;
  }

  async function apply(): Promise<void> {
    if (!doors || closing) return;
    const wanted = options.users();
    try {
      // Sockets first: whoever sshd lets in must find theirs.
      await doors.openMissing(wanted);
      await writeKeysFile(options.keysFile, formatKeys(wanted));
    } finally {
      // Whatever went wrong above, those who were removed have to go, with or without a control session.
      if (await doors.closeRevoked(wanted)) reaper?.sweep(0);
    }
  }

  const namesOf = (users: readonly OpensshUser[]): Set<string> =>
    new Set(users.map(({ identity }) => socketName(controlDir, identity.id)));

  const formatKeys = (users: readonly OpensshUser[]): string =>
    formatKeysFile(
      users.flatMap(({ identity, keys }) =>
        keys.map(({ type, blob }) => ({
          type,
          blob: blob.toString("base64"),
          socketName: socketName(controlDir, identity.id),
          directPorts: identity.directPorts,
        })),
      ),
    );

  function warnWithoutReaper(): void {
    if (reaper?.connected) return;
    log.warn("session reaper is not running", {
      consequence:
        "SSH connections without a control session may outlive the removal of their key",
      mend: "start expose-sshd-reaper (infra/systemd)",
    });
  }

  function close(): Promise<void> {
    closing ??= (async () => {
      for (const timer of timers) clearTimeout(timer);
      doors?.stopAccepting();
      await lastChange.catch(() => {});
      await Promise.all([doors?.close(), reaper?.close()]);
    })();
    return closing;
  }

  return {
    kind: "openssh",
    start,
    update,
    stopAccepting: () => doors?.stopAccepting(),
    close,
  };
}
