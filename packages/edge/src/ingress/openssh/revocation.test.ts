import { expect, it } from "vitest";
import type { Identity } from "../../registry/identity.ts";
import type { OpensshUser } from "./options.ts";
import { mustReturn } from "./revocation.ts";

const user = (
  keys: string,
  rights: Partial<Omit<Identity, "id">> = {},
): OpensshUser => ({
  identity: {
    id: "alice",
    names: undefined,
    maxTunnels: undefined,
    directPorts: [],
    ...rights,
  },
  keys: keys.split("").map((key) => ({
    type: "ssh-ed25519",
    blob: Buffer.from(key),
  })),
});

it.each([
  ["nothing changed", user("a"), user("a"), false],
  ["a key was added", user("a"), user("ab"), false],
  ["keys changed places", user("ab"), user("ba"), false],
  ["a key was removed", user("ab"), user("a"), true],
  ["a key was replaced", user("a"), user("b"), true],
  [
    "rights are written in another order",
    user("a", { names: ["x", "y"], directPorts: [20_001, 20_000] }),
    user("a", { names: ["y", "x"], directPorts: [20_000, 20_001] }),
    false,
  ],
  [
    "a name was taken away",
    user("a", { names: ["x", "y"] }),
    user("a", { names: ["x"] }),
    true,
  ],
  ["names were limited", user("a"), user("a", { names: [] }), true],
  [
    "a port was taken away",
    user("a", { directPorts: [20_000] }),
    user("a"),
    true,
  ],
  ["tunnels were limited", user("a"), user("a", { maxTunnels: 1 }), true],
] as const)("%s", (_, before, after, expected) => {
  expect(mustReturn(before, after)).toBe(expected);
});
