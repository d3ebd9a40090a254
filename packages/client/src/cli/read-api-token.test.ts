import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { useHome } from "../config/use-home.ts";
import { readApiToken } from "./read-api-token.ts";

const TOKEN = "0123456789abcdef";

test("the file goes before the variable, and a line break at its end is none of the token", async () => {
  const file = join(await useHome(), "token");
  writeFileSync(file, `${TOKEN}\n`);
  expect(await readApiToken(file, { EXPOSE_API_TOKEN: "other" })).toBe(TOKEN);
  expect(await readApiToken(undefined, { EXPOSE_API_TOKEN: TOKEN })).toBe(
    TOKEN,
  );
  expect(await readApiToken(undefined, {})).toBeUndefined();
  expect(
    await readApiToken(undefined, { EXPOSE_API_TOKEN: "" }),
  ).toBeUndefined();
});

test.each([
  "short",
  "with a blank in between",
  "line\nbreaks-in-between-them",
  `${TOKEN}é`,
])("%j is refused, and not repeated in the message", async (token) => {
  const error: unknown = await readApiToken(undefined, {
    EXPOSE_API_TOKEN: token,
  }).catch((reason: unknown) => reason);
  expect(error).toMatchObject({ code: "usage-invalid" });
  expect(String(error)).not.toContain(token);
});

test("a file that is not there is said, as one that is empty", async () => {
  const home = await useHome();
  await expect(readApiToken(join(home, "none"), {})).rejects.toThrow("ENOENT");
  writeFileSync(join(home, "empty"), "");
  await expect(readApiToken(join(home, "empty"), {})).rejects.toThrow(
    "cannot be used",
  );
});
