// Global set-up of the test projects that start the built programs: what they test is what the sources say now.
export { build as setup } from "./build.mjs";
