// Which of flag, variable and file is obeyed.
import { expect, test } from "vitest";
import { resolveServerSettings } from "./settings.ts";

const file = {
  server: "file@example.com",
  identity: ["/keys/file"],
  acceptNewHostKey: true,
  knownHosts: ["/hosts/file"],
};
const nothing = {
  server: undefined,
  identity: undefined,
  acceptNewHostKey: undefined,
  knownHosts: undefined,
};

test("a flag goes before a variable, a variable before the file", () => {
  const env = { EXPOSE_SERVER: "env@example.com" };
  const server = (...args: Parameters<typeof resolveServerSettings>) => {
    const settings = resolveServerSettings(...args);
    return [settings.server, settings.serverFrom];
  };
  expect(server({ server: "flag@example.com" }, env, file)).toEqual([
    "flag@example.com",
    "flag",
  ]);
  expect(server({}, env, file)).toEqual(["env@example.com", "environment"]);
  expect(server({}, { EXPOSE_SERVER: "" }, file)).toEqual([
    "file@example.com",
    "file",
  ]);
  expect(server({}, {}, nothing)).toEqual([undefined, undefined]);
});

test("what no flag says comes from the file, and what nobody says has its default", () => {
  expect(resolveServerSettings({}, {}, file)).toEqual({
    server: "file@example.com",
    serverFrom: "file",
    identity: ["/keys/file"],
    acceptNewHostKey: true,
    knownHosts: ["/hosts/file"],
  });
  expect(
    resolveServerSettings(
      {
        identity: ["/keys/flag"],
        acceptNewHostKey: false,
        knownHosts: ["/hosts/flag"],
      },
      {},
      file,
    ),
  ).toMatchObject({
    identity: ["/keys/flag"],
    acceptNewHostKey: false,
    knownHosts: ["/hosts/flag"],
  });
  const settings = resolveServerSettings({}, {}, nothing);
  expect(settings.acceptNewHostKey).toBe(false);
  expect(Object.isFrozen(settings)).toBe(true);
});

test("the file's keys are not shown to another server than the file's", () => {
  const identity = (server: string, of: typeof file | typeof nothing = file) =>
    resolveServerSettings({ server }, {}, of).identity;
  expect(identity("other@example.com")).toBeUndefined();
  expect(identity("file@example.com")).toEqual(["/keys/file"]);
  // Without a server of its own the file means any.
  expect(
    resolveServerSettings(
      { server: "other@example.com" },
      {},
      { ...nothing, identity: ["/keys/file"] },
    ).identity,
  ).toEqual(["/keys/file"]);
});
