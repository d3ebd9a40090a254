// Stops at once on a Node that is too old, before newer syntax or functions fail in ways that tell nothing.
// Import it first, and keep to syntax that old versions read.
const [major, minor] = process.versions.node.split(".").map(Number);
if (major < 20 || (major === 20 && minor < 19)) {
  console.error(
    `This needs Node 20.19 or newer; this is ${process.version}. See https://nodejs.org/.`,
  );
  process.exit(1);
}
