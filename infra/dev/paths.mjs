// Where things are in the checkout.
import { fileURLToPath } from "node:url";

/** Absolute path of a file of the checkout, from its path relative to the root. */
export const inRoot = (path = "") =>
  fileURLToPath(new URL(`../../${path}`, import.meta.url));
