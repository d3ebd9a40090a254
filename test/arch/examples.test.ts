// The examples of docs/examples run as they stand, against an edge of this machine.
import { execFileSync } from "node:child_process";
import { copyFileSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { build } from "../../infra/dev/build.mjs";
import { startProgram, stop } from "../harness/processes.ts";
import { visit } from "../harness/visit.ts";
import { startWorld, type World } from "../harness/worlds.ts";
import { ROOT } from "./sources.ts";

const EXAMPLES = join(ROOT, "docs/examples");

let world: World;
let home: string;

beforeAll(async () => {
  await build();
  world = await startWorld("embedded");
  home = join(world.folder, "home");
  logInOnce();
});

afterAll(() => world.stop());

// What the reader of an example has done before: a key that the edge knows, and a host key that was looked at.
function logInOnce(): void {
  mkdirSync(join(home, ".ssh"), { recursive: true });
  copyFileSync(world.identity("alice"), join(home, ".ssh/id_ed25519"));
  const hostKey = execFileSync("ssh-keygen", [
    "-y",
    "-f",
    join(world.folder, "state/ssh_host_ed25519_key"),
  ]).toString();
  const port = world.server.split(":").at(-1);
  writeFileSync(
    join(home, ".ssh/known_hosts"),
    `[127.0.0.1]:${port} ${hostKey}`,
  );
}

test.each(readdirSync(EXAMPLES).filter((name) => name.endsWith(".mjs")))(
  "%s prints a URL that leads to it, and ends by Ctrl-C",
  async (name) => {
    const program = startProgram(process.execPath, [join(EXAMPLES, name)], {
      cwd: ROOT,
      env: {
        PATH: process.env["PATH"],
        HOME: home,
        EXPOSE_SERVER: world.server,
      },
    });
    onTestFinished(() => stop(program));
    const [url] = await program.waitFor(/http:\/\/\S+\.localhost:\d+/);
    const { headers } = await visit(url);
    // Whatever an example serves: it was not the edge that answered.
    expect(headers["expose-error"]).toBeUndefined();
    program.kill("SIGINT");
    expect(await program.exited).toEqual({ code: 0, signal: null });
    expect(program.stderr).toBe("");
  },
);
