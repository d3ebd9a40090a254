// Where the long runs find the programs that they start. This file and the bundle lie equally deep in the checkout.
import { fileURLToPath } from "node:url";

/** Absolute path of a file of the checkout. */
export const inRoot = (path: string): string =>
  fileURLToPath(new URL(`../../${path}`, import.meta.url));
