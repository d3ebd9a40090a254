// `node --require` this: native addons cannot be loaded, as on a machine where none was built.
require("node:module")._extensions[".node"] = () => {
  throw new Error("hidden for a measurement");
};
