// esbuild plugin: leaves native addons outside of the bundle. They are looked up when the program runs, and where they
// are missing (scripts were off, no compiler, another Node) ssh2 catches the error and uses its own JavaScript.
import { resolve } from "node:path";

/** @type {import("esbuild").Plugin} */
export const nativeAddons = {
  name: "native-addons",
  setup(build) {
    // ssh2/lib/protocol/crypto.js asks for ./crypto/build/Release/sshcrypto.node: found through the installed ssh2.
    build.onResolve({ filter: /\.node$/ }, ({ path, resolveDir }) => ({
      path: inPackage(resolve(resolveDir, path)),
      external: true,
    }));

    // An optional dependency of ssh2 that is an addon itself. Only ssh2 may rely on finding it (npm hoists it beside
    // us, other package managers do not), so it is looked up from there.
    build.onResolve({ filter: /^cpu-features$/ }, ({ path }) => ({
      path,
      namespace: "ssh2-optional",
    }));
    build.onLoad({ filter: /.*/, namespace: "ssh2-optional" }, ({ path }) => ({
      contents: `const { createRequire } = require("node:module");
        module.exports = createRequire(require.resolve("ssh2/package.json"))("${path}");`,
      // Resolved when the program runs; `require.resolve` of a package that esbuild cannot see is left as it is.
      loader: "js",
    }));
    build.onResolve({ filter: /^ssh2\/package\.json$/ }, ({ path }) => ({
      path,
      external: true,
    }));
  },
};

const inPackage = (file) => file.slice(file.lastIndexOf("node_modules/") + 13);
