// Global set-up of the test projects that start the built programs: what they test is what the sources say now.
import { build } from "./build.mjs";

export async function setup() {
  await build();
}
