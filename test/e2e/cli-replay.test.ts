// `expose logs`, `show` and `replay` as programs: what a person at another terminal sees of a client that runs.
// one ingress only: all of it is between a program and the inspector; inspector-api.test.ts shows what comes through either
import { once } from "node:events";
import { chmodSync, writeFileSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { join } from "node:path";
import {
  afterAll,
  beforeAll,
  describe,
  expect,
  it,
  onTestFinished,
} from "vitest";
import {
  eventsOf,
  runExpose,
  startExpose,
  useCliHome,
} from "../harness/cli.ts";
import { findInspector } from "../harness/inspector.ts";
import { stop } from "../harness/processes.ts";
import { startUpstream } from "../harness/upstreams.ts";
import { visit } from "../harness/visit.ts";
import { startWorld, type World } from "../harness/worlds.ts";

describe("expose logs, show and replay", () => {
  let world: World;
  beforeAll(async () => {
    world = await startWorld("embedded");
  });
  afterAll(() => world.stop());

  /** A client with a local service whose answers a test can change, and a home that knows of it. */
  async function useClient(
    name: string,
    secrets: Readonly<Record<string, string>> = {},
  ) {
    const service = { status: 200, body: '{"price":1}' };
    const got: { url: string; body: string; type: string | undefined }[] = [];
    const upstream = await startUpstream((request, response) => {
      const chunks: Buffer[] = [];
      request.on("data", (chunk: Buffer) => chunks.push(chunk));
      request.on("end", () => {
        got.push({
          url: `${request.method} ${request.url}`,
          body: Buffer.concat(chunks).toString(),
          type: request.headers["content-type"],
        });
        response.writeHead(service.status, {
          "content-type": "application/json",
        });
        response.end(service.body);
      });
    });
    const { home, env } = useCliHome();
    const client = startExpose(
      [
        ...[`${upstream.port}`, "-s", name, "--server", world.server],
        ...["--identity", world.identity("alice"), "--accept-new-host-key"],
      ],
      { ...env, ...secrets },
    );
    await findInspector(client, home);
    return { service, got, upstream, home, env, client };
  }

  const post = (name: string, path: string, body: string) =>
    visit(world.urlOf(name), path, {
      method: "POST",
      body,
      headers: { "content-type": "application/json", "x-evil": "a\u009b31m" },
    });

  it("lists what passed, the newest last, and only what matches", async () => {
    const { env } = await useClient("listed");
    await post("listed", "/a", "{}");
    await post("listed", "/b", "{}");
    const all = await runExpose(["logs"], env);
    expect(all).toMatchObject({ code: 0, stderr: "" });
    expect(all.stdout.split("\n")).toEqual([
      expect.stringMatching(/^[\d-]+ [\d:]+ \w{26} POST \/a 200 \S+ ms$/),
      expect.stringMatching(/ POST \/b 200 /),
      "",
    ]);
    const some = await runExpose(["logs", "path:/b", "--json"], env);
    expect(eventsOf(some)).toMatchObject([
      { event: "exchange", tunnel: "listed", target: "/b", status: 200 },
    ]);
    const wrong = await runExpose(["logs", "nonsense:1"], env);
    expect(wrong).toMatchObject({ code: 2, stdout: "" });
    expect(wrong.stderr).toContain("[filter-invalid]");
  });

  it("follows those that come, and ends with the client", async () => {
    const { env, client } = await useClient("followed");
    const logs = startExpose(["logs", "--follow", "path:/yes"], env);
    await post("followed", "/yes?1", "{}");
    await logs.waitFor(/POST \/yes\?1 200/);
    await post("followed", "/no", "{}");
    await post("followed", "/yes?2", "{}");
    await logs.waitFor(/POST \/yes\?2 200/);
    expect(logs.stdout).not.toContain("/no");
    await stop(client);
    expect(await logs.exited).toEqual({ code: 0, signal: null });
    expect(logs.stdout.match(/yes/g)).toHaveLength(2);
  });

  it("shows one with headers and bodies, and nothing that drives the terminal", async () => {
    const { env, service } = await useClient("shown");
    service.body = '{"text":"\\u001b[2J", "more":"\u009b31m\u202e"}';
    await post("shown", "/hook", '{"order":7}');
    const shown = await runExpose(["show", "last"], env);
    expect(shown.code).toBe(0);
    expect(shown.stdout).toContain("POST /hook HTTP/1.1");
    expect(shown.stdout).toContain('"order": 7');
    expect(shown.stdout).toContain("HTTP/1.1 200 OK");
    expect(shown.stdout.replaceAll("\n", "")).not.toMatch(/[\p{Cc}\p{Cf}]/u);
    const body = await runExpose(["show", "last", "--body", "request"], env);
    expect(body.stdout).toBe('{"order":7}');
    const gone = await runExpose(["show", "01J00000000000000000000000"], env);
    expect(gone).toMatchObject({ code: 24, stdout: "" });
  });

  it("replays one and says what differs, with status 1 when the class does", async () => {
    const { env, service, got } = await useClient("again");
    await post("again", "/hook", '{"order":7}');
    const same = await runExpose(["replay", "--last"], env);
    expect(same).toMatchObject({ code: 0, stderr: "" });
    expect(same.stdout).toContain("POST /hook  200 -> 200");

    service.body = '{"price":2}';
    service.status = 500;
    const other = await runExpose(["replay", "--last"], env);
    expect(other.code).toBe(1);
    expect(other.stdout).toContain("POST /hook  200 -> 500 !");
    expect(other.stdout).toContain("- /price 1\n+ /price 2");
    expect(got.map(({ url, body }) => `${url} ${body}`)).toEqual(
      Array.from({ length: 3 }, () => 'POST /hook {"order":7}'),
    );
  });

  it("replays the last so many that match, and prints a table", async () => {
    const { env, service, got } = await useClient("many");
    for (const path of ["/a", "/b/1", "/b/2"]) await post("many", path, "{}");
    service.status = 404;
    const table = await runExpose(
      ["replay", "--last", "10", "--filter", "path:/b/*"],
      env,
    );
    expect(table.code).toBe(1);
    expect(table.stdout).toMatch(
      /^original +request +status +changes\n\w{26}  POST \/b\/1 +200 -> 404 ! +1\n\w{26}  POST \/b\/2 +200 -> 404 ! +1\n0 of 2 have/,
    );
    const json = await runExpose(
      ["replay", "--last", "10", "--filter", "path:/b/*", "--json"],
      env,
    );
    expect(eventsOf(json)).toMatchObject([
      { event: "replay", before: 200, after: 404, sameClass: false },
      { event: "replay", target: "/b/2", changes: 1 },
    ]);
    expect(got.slice(3).map(({ url }) => url)).toEqual([
      "POST /b/1",
      "POST /b/2",
      "POST /b/1",
      "POST /b/2",
    ]);
  });

  it("lets a person change the request in their editor first", async () => {
    const { env, home, got } = await useClient("edited");
    await post("edited", "/hook", '{"order":7}\n');
    const editor = join(home, "editor.sh");
    writeFileSync(
      editor,
      `#!/bin/sh\nsed -i 's/order":7/order":8/; s/^POST \\/hook/PUT \\/other/' "$1"\n`,
    );
    chmodSync(editor, 0o755);
    const edited = await runExpose(["replay", "--last", "--edit"], {
      ...env,
      EDITOR: editor,
    });
    expect(edited).toMatchObject({ code: 0, stderr: "" });
    expect(got.at(-1)).toEqual({
      url: "PUT /other",
      body: '{"order":8}\n',
      type: "application/json",
    });
    const nothing = await runExpose(["replay", "--last", "--edit"], {
      ...env,
      EDITOR: "truncate -s 0",
    });
    expect(nothing).toMatchObject({ code: 0, stdout: "" });
    const failed = await runExpose(["replay", "--last", "--edit"], {
      ...env,
      EDITOR: "false",
    });
    expect(failed.code).toBe(26);
    expect(got).toHaveLength(2);
  });

  it("signs a webhook anew, so that one that is old is fresh again", async () => {
    const { env } = await useClient("signed", {
      EXPOSE_WEBHOOK_SECRET_STRIPE: "whsec_test",
    });
    await visit(world.urlOf("signed"), "/stripe", {
      method: "POST",
      body: '{"type":"invoice.paid","object":"event"}',
      headers: {
        "content-type": "application/json",
        "stripe-signature": `t=1500000000,v1=${"0".repeat(64)}`,
      },
    });
    const verdicts = async () => {
      const logs = await runExpose(["logs", "--json"], env);
      return eventsOf(logs).map(({ webhook }) => webhook);
    };
    expect(await verdicts()).toMatchObject([
      { provider: "stripe", event: "invoice.paid", verdict: "failed" },
    ]);
    const sent = await runExpose(["replay", "--last", "--sign", "stripe"], env);
    expect(sent).toMatchObject({ code: 0, stderr: "" });
    expect(await verdicts()).toMatchObject([
      { verdict: "failed" },
      { provider: "stripe", verdict: "verified" },
    ]);
    const missing = await runExpose(
      ["replay", "--last", "--sign", "github"],
      env,
    );
    expect(missing).toMatchObject({ code: 4, stdout: "" });
    expect(missing.stderr).toContain("EXPOSE_WEBHOOK_SECRET_GITHUB");
  });

  it("replays to another local service, and says when it is not there", async () => {
    const { env } = await useClient("elsewhere");
    const other = await startUpstream((_request, response) => response.end());
    await post("elsewhere", "/hook", "{}");
    const there = await runExpose(
      ["replay", "--last", "--upstream", `${other.port}`],
      env,
    );
    expect(there.code).toBe(0);
    expect(other.seen).toEqual(["POST /hook"]);
    await other.close();
    const gone = await runExpose(
      ["replay", "--last", "--upstream", `${other.port}`],
      env,
    );
    expect(gone.code).toBe(1);
    expect(gone.stdout).toContain("[upstream-unreachable]");
    const abroad = await runExpose(
      ["replay", "--last", "--upstream", "example.com:80"],
      env,
    );
    expect(abroad).toMatchObject({ code: 2, stdout: "" });
  });

  it("reads the history when no client runs, and names the secrets that it does not keep", async () => {
    const { env, client, got } = await useClient("history");
    await visit(world.urlOf("history"), "/private", {
      headers: { authorization: "Bearer s3cret" },
    });
    client.kill("SIGINT");
    await client.exited;
    const logs = await runExpose(["logs"], env);
    expect(logs).toMatchObject({ code: 0, stderr: "" });
    expect(logs.stdout).toContain("GET /private 200");
    const shown = await runExpose(["show", "last"], env);
    expect(shown.stdout).toMatch(/authorization: \[redacted\]/i);
    const refused = await runExpose(["replay", "--last"], env);
    expect(refused).toMatchObject({ code: 25, stdout: "" });
    expect(refused.stderr).toContain("authorization");
    const sent = await runExpose(
      ["replay", "--last", "--without-secrets"],
      env,
    );
    expect(sent.code).toBe(0);
    expect(got).toHaveLength(2);
    const follow = await runExpose(["logs", "--follow"], env);
    expect(follow.code).toBe(23);
  });

  it("asks all clients that run, and has each repeat what is its own", async () => {
    const { env, got } = await useClient("first");
    const other = await startUpstream((_request, response) => response.end());
    const home = env["HOME"] ?? "";
    const second = startExpose(
      [
        ...[`${other.port}`, "-s", "second", "--server", world.server],
        ...["--identity", world.identity("bob"), "--accept-new-host-key"],
      ],
      env,
    );
    await findInspector(second, home);
    await visit(world.urlOf("first"), "/1", {
      headers: { authorization: "Bearer s3cret" },
    });
    await visit(world.urlOf("second"), "/2");
    const logs = await runExpose(["logs"], env);
    expect(logs.stdout).toMatch(/first: GET \/1 .*\n.* second: GET \/2 /);
    // The second client knows the first one's requests from the history, without their secrets.
    const replayed = await runExpose(["replay", "--last", "2"], env);
    expect(replayed).toMatchObject({ code: 0, stderr: "" });
    expect(got.map(({ url }) => url)).toEqual(["GET /1", "GET /1"]);
    expect(other.seen).toEqual(["GET /2", "GET /2"]);
  });

  it("tells garbage from an answer", async () => {
    const { env } = await useClient("garbled");
    await post("garbled", "/hook", "{}");
    const garbage = createServer((socket) => {
      socket.on("error", () => {});
      socket.once("data", () => socket.end("\u001b[2J what is this?\r\n\r\n"));
    });
    garbage.listen(0, "127.0.0.1");
    await once(garbage, "listening");
    onTestFinished(() => void garbage.close());
    const { port } = garbage.address() as AddressInfo;
    const result = await runExpose(
      ["replay", "--last", "--upstream", `${port}`],
      env,
    );
    expect(result.code).toBe(1);
    expect(result.stdout).toContain("[upstream-garbage]");
    expect(result.stdout.replaceAll("\n", "")).not.toMatch(/\p{Cc}/u);
  });

  it("says that there is nobody to ask", async () => {
    const { env } = useCliHome();
    for (const command of [["logs"], ["show", "last"], ["replay", "--last"]]) {
      const result = await runExpose(command, env);
      expect(result).toMatchObject({ code: 23, stdout: "" });
      expect(result.stderr).toContain("[inspector-missing]");
    }
  });
});
