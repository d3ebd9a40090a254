// Tests that may be skipped, each with its reason; `npm test` fails when any other is.
/** @type {readonly { test: string, reason: string }[]} `test` is "path/of/file.test.ts > full name" */
export const allowedSkips = [
  {
    test: "packages/edge/src/access-log/access-log.test.ts > when the disk is full goes on, counts, tells once, and writes what waited when there is room again",
    reason:
      "mounts a small disk, which takes root; /dev/full stands in elsewhere",
  },
  ...[
    "ends connections without a session, whoever is connected through them, and no others",
    "spares those that are younger than it was told",
  ].map((name) => ({
    test: `test/e2e/openssh-account.test.ts > session-reaper ${name}`,
    reason:
      "the reaper ends what its account holds, so it needs one of its own, which takes root",
  })),
];
