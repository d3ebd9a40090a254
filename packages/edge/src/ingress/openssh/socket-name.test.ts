import fc from "fast-check";
import { expect, it } from "vitest";
import { EdgeError } from "../../errors.ts";
import { socketName } from "./socket-name.ts";

it.each(["alice", "alice@laptop", "a.b_c+d-e", "0", "Alice"])(
  "%s gives its socket its own name",
  (id) => {
    expect(socketName("/run/x", id)).toBe(`${id}.sock`);
  },
);

it.each([
  "../root",
  "a/b",
  "",
  ".",
  "..",
  "-n",
  ".hidden",
  "a b",
  "a\nb",
  "a\0b",
  "älice",
  "~x",
  "$(id)",
  "x".repeat(200),
])("%j stands behind a hash", (id) => {
  expect(socketName("/run/x", id)).toMatch(/^~[A-Za-z0-9_-]{32}\.sock$/);
});

it("two identities never share a socket, and every name is one that sshd's programs take", () => {
  const text = fc.oneof(fc.string(), fc.string({ unit: "binary" }));
  fc.assert(
    fc.property(text, text, (a, b) => {
      const name = socketName("/run/x", a);
      expect(name).toMatch(/^[A-Za-z0-9~][A-Za-z0-9._@+~-]*\.sock$/);
      expect(name === socketName("/run/x", b)).toBe(a === b);
    }),
  );
});

it("a path has at most 107 bytes, or is refused", () => {
  const id = "a".repeat(60);
  const folder = (length: number): string => `/${"d".repeat(length - 1)}`;
  expect(socketName(folder(107 - 66), id)).toBe(`${id}.sock`);
  expect(socketName(folder(107 - 65), id)).toMatch(/^~/);
  expect(socketName(folder(107 - 39), id)).toMatch(/^~/);
  expect(() => socketName(folder(107 - 38), id)).toThrow(EdgeError);
});
