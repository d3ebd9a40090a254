// What the program runs on.
import { hasNativeCrypto } from "../../ssh/native-crypto.ts";
import { fail, pass, warn, type Check } from "./check.ts";

const MIN_MAJOR = 20;
const MIN_MINOR = 19;

/** @param version of Node, as `20.19.0` */
export function checkNode(version: string): Check {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  const isNewEnough =
    major > MIN_MAJOR || (major === MIN_MAJOR && minor >= MIN_MINOR);
  return isNewEnough
    ? pass("node", `Node ${version}`)
    : fail(
        "node",
        `Node ${version} is older than ${MIN_MAJOR}.${MIN_MINOR}`,
        "install a newer Node",
      );
}

export function checkCrypto(isNative: boolean = hasNativeCrypto()): Check {
  return isNative
    ? pass("crypto", "native addon of ssh2")
    : warn(
        "crypto",
        "JavaScript: all works, uploads are slower",
        "for more speed, reinstall with a C++ compiler and install scripts allowed",
      );
}
