// What docs/inspector-api.md tells people to type works, and so does a script that was written for ngrok.
// one ingress only: all of it is between a program and the inspector; inspector-api.test.ts shows what comes through either
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startExpose, useCliHome } from "../harness/cli.ts";
import { findInspector } from "../harness/inspector.ts";
import { run } from "../harness/processes.ts";
import { startUpstream } from "../harness/upstreams.ts";
import { visit } from "../harness/visit.ts";
import { startWorld, type World } from "../harness/worlds.ts";

const ROOT = join(import.meta.dirname, "../..");
const NGROK_SCRIPT = join(import.meta.dirname, "../harness/ngrok-script.sh");

describe("a script that asks the inspector", () => {
  let world: World;
  beforeAll(async () => {
    world = await startWorld("embedded");
  });
  afterAll(() => world.stop());

  /** A client whose tunnel has passed a GET and then a POST. */
  async function useClient(name: string) {
    const upstream = await startUpstream((request, response) => {
      request.resume();
      response.writeHead(201, { "content-type": "application/json" });
      response.end('{"ok":true}');
    });
    const { home, env } = useCliHome();
    const client = startExpose(
      [
        ...[`${upstream.port}`, "-s", name, "--server", world.server],
        ...["--identity", world.identity("alice"), "--accept-new-host-key"],
      ],
      env,
    );
    const inspector = await findInspector(client, home);
    await visit(world.urlOf(name), "/first");
    await visit(world.urlOf(name), "/hook?a=1", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: '{"order":7}',
    });
    return { upstream, home, env, inspector };
  }

  it("may type every command of docs/inspector-api.md", async () => {
    const { env, home, inspector, upstream } = await useClient("typed");
    const page = readFileSync(join(ROOT, "docs/inspector-api.md"), "utf8");
    const blocks = [...page.matchAll(/^```sh\n([^]*?)^```$/gm)].map(
      ([, block]) => block,
    );
    // All in one shell: later blocks use what earlier ones found out. A pipe whose reader has enough is no failure; what is
    // one, curl says on stderr.
    const script = `set -eu\n${blocks.join("echo ---\n")}`;
    const { code, stdout, stderr } = await run("bash", ["-c", script], {
      env,
      cwd: home,
    });
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    const said = stdout.split("---\n");
    expect(said).toHaveLength(blocks.length);
    for (const text of said) expect(text.trim()).not.toBe("");
    expect(said[0]).toContain(world.urlOf("typed"));
    expect(said[1]).toContain("POST /hook?a=1 201");
    expect(readFileSync(join(home, "request.bin"), "utf8")).toBe('{"order":7}');
    expect(readFileSync(join(home, "response.bin"), "utf8")).toBe(
      '{"ok":true}',
    );
    expect(stdout).toContain("event: exchange");
    expect(stdout).not.toMatch(/"error"/);
    const replays = upstream.seen.filter((line) => line === "POST /hook?a=1");
    expect(replays.length).toBeGreaterThanOrEqual(4);
    expect(upstream.seen).toContain("PUT /other");
    // The last one forgets everything.
    expect(await inspector.json("/api/v1/exchanges")).toEqual({ items: [] });
  });

  it("may have been written for ngrok", async () => {
    const { env, inspector, upstream } = await useClient("ngrok");
    const ask = async (token: Record<string, string>) =>
      run("sh", [NGROK_SCRIPT, inspector.url], { env: { ...env, ...token } });
    const read = [
      `url ${world.urlOf("ngrok")}`,
      "proto http",
      `addr http://localhost:${upstream.port}`,
      `same ${world.urlOf("ngrok")}`,
      "status online",
      "request POST /hook?a=1",
      "type application/json",
      "code 201",
      'body {"order":7}',
    ];
    const without = await ask({});
    expect(without.stdout.trim().split("\n")).toEqual([...read, "replay 401"]);
    expect(upstream.seen).toHaveLength(2);
    const withIt = await ask({ TOKEN: inspector.token });
    expect(withIt).toMatchObject({ code: 0, stderr: "" });
    expect(withIt.stdout.trim().split("\n")).toEqual([...read, "replay 204"]);
    expect(upstream.seen).toEqual([
      "GET /first",
      "POST /hook?a=1",
      "POST /hook?a=1",
    ]);
  });
});
