import { createRequire } from "node:module";
import { expect, test } from "vitest";
import { hasNativeCrypto } from "./native-crypto.ts";

test("the addon counts as there exactly when it can be loaded", () => {
  const require = createRequire(import.meta.url);
  let loads = true;
  try {
    require("ssh2/lib/protocol/crypto/build/Release/sshcrypto.node");
  } catch {
    loads = false;
  }
  expect(hasNativeCrypto()).toBe(loads);
});
