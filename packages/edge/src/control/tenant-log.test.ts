import { expect, it } from "vitest";
import { createTenantLog } from "./tenant-log.ts";

it("writes the first lines of an identity, then one every ten seconds with the count of those left out", () => {
  const written: unknown[] = [];
  let now = 0;
  const log = createTenantLog({
    burst: 20,
    info: (_, fields) => void written.push(fields),
    clock: () => now,
  });
  for (let i = 0; i < 1_000; i++) log.write("alice", "tunnel refused", {});
  expect(written).toHaveLength(20);
  log.write("bob", "tunnel refused", { code: "name-taken" });
  expect(written.pop()).toEqual({
    identity: "bob",
    code: "name-taken",
    leftOut: undefined,
  });
  now = 9_999;
  log.write("alice", "tunnel refused", {});
  expect(written).toHaveLength(20);
  now = 10_000;
  log.write("alice", "tunnel refused", {});
  expect(written.at(-1)).toEqual({ identity: "alice", leftOut: 981 });
  log.write("alice", "tunnel refused", {});
  expect(written).toHaveLength(21);
  now += 3_600_000;
  for (let i = 0; i < 100; i++) log.write("alice", "tunnel refused", {});
  expect(written).toHaveLength(41);
});
