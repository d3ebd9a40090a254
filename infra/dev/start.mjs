// `npm start`: installs, builds, and runs a demo on this machine. `npm start -- --help` lists what it takes.
import "./node-version.mjs";
import { parseArgs } from "node:util";
import { build } from "./build.mjs";
import { installDependencies } from "./install.mjs";

const HELP = `npm start [-- OPTIONS] [TARGET]

An edge on this machine, a tunnel through it, and one line for each request, until Ctrl-C.

  TARGET                what the tunnel leads to, as for \`expose TARGET\`: 8080, host:port, ./folder
                        default: a debugging server that shows each request's headers
  --lan                 let other devices of this network in, and show a QR code
  --lan-address ADDRESS this machine's address there; default: the first one of the network
  --lan-domain DOMAIN   service whose names contain their address; default: sslip.io`;

try {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      help: { type: "boolean", short: "h" },
      lan: { type: "boolean" },
      "lan-address": { type: "string" },
      "lan-domain": { type: "string" },
    },
  });
  if (positionals.length > 1)
    throw new Error(`One target, not ${positionals.length}.`);
  if (values.help) console.log(HELP);
  else {
    await installDependencies();
    await build();
    // Only now: it needs what was built.
    const { runDemo } = await import("./demo.mjs");
    await runDemo({
      target: positionals[0],
      lan: Boolean(values.lan || values["lan-address"] || values["lan-domain"]),
      lanAddress: values["lan-address"],
      lanDomain: values["lan-domain"],
    });
  }
} catch (error) {
  console.error(error.message);
  if (error.code?.startsWith("ERR_PARSE_ARGS")) console.error(`\n${HELP}`);
  process.exitCode = 1;
}
