// Webhooks through a real tunnel: what the log says of them, and what becomes of them as files that are sent again.
import { createHmac } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import {
  eventsOf,
  runExpose,
  startExpose,
  useCliHome,
} from "../harness/cli.ts";
import { findInspector } from "../harness/inspector.ts";
import { startUpstream } from "../harness/upstreams.ts";
import { visit } from "../harness/visit.ts";
import { describeIngress, startWorld, type World } from "../harness/worlds.ts";

const SECRET = "whsec_test_of_expose";
const event = '{\n  "type": "checkout.session.completed",\n  "note": "café"\n}';

function sign(body: string, atMs = Date.now()): string {
  const time = Math.floor(atMs / 1_000);
  const digest = createHmac("sha256", SECRET)
    .update(`${time}.${body}`)
    .digest("hex");
  return `t=${time},v1=${digest}`;
}

describeIngress("webhooks", (ingress) => {
  let world: World;
  beforeAll(async () => {
    world = await startWorld(ingress);
  });
  afterAll(() => world.stop());

  /** A service that takes webhooks as Stripe's own library does, and a client in front of it. */
  async function useShop(
    name: string,
    {
      json = false,
      env: more = {} as Record<string, string>,
      config = "",
    } = {},
  ) {
    const got: { body: string; host: string | undefined; valid: boolean }[] =
      [];
    const upstream = await startUpstream((request, response) => {
      const chunks: Buffer[] = [];
      request.on("data", (chunk: Buffer) => chunks.push(chunk));
      request.on("end", () => {
        const body = Buffer.concat(chunks).toString();
        const header = String(request.headers["stripe-signature"]);
        const time = Number(/t=(\d+)/.exec(header)?.[1]) * 1_000;
        const valid =
          header === sign(body, time) && Math.abs(Date.now() - time) < 300_000;
        got.push({ body, host: request.headers.host, valid });
        response.writeHead(valid ? 200 : 400, { "content-type": "text/plain" });
        response.end(valid ? "thank you" : "bad signature");
      });
    });
    const { home, env } = useCliHome();
    mkdirSync(join(home, ".config/expose"), { recursive: true });
    writeFileSync(join(home, ".config/expose/config.yaml"), config);
    const secrets = { EXPOSE_WEBHOOK_SECRET_STRIPE: SECRET, ...more };
    const client = startExpose(
      [
        ...[`${upstream.port}`, "-s", name, "--server", world.server],
        ...["--identity", world.identity("alice"), "--accept-new-host-key"],
        ...(json ? ["--json"] : []),
      ],
      { ...env, ...secrets },
    );
    const inspector = await findInspector(client, home);
    const post = (body: string, signature: string) =>
      visit(world.urlOf(name), "/hooks?attempt=1", {
        method: "POST",
        body,
        headers: {
          "content-type": "application/json",
          "stripe-signature": signature,
          authorization: "Bearer hush",
        },
      });
    return { got, upstream, home, env, client, inspector, post };
  }

  it("stand in the log with their event and verdict, and the secret stands nowhere", async () => {
    const { client, post, env, inspector } = await useShop("hooks");
    await post(event, sign(event));
    await client.waitFor(
      /POST \/hooks\S* 200 .* stripe checkout\.session\.completed ✓/,
    );
    await post(event.replace(/\s/g, ""), sign(event));
    await client.waitFor(
      /POST \/hooks\S* 400 .* stripe checkout\.session\.completed ✗ The body was changed/,
    );
    await post(event, sign(event, Date.now() - 600_000));
    await client.waitFor(/✗ The signature is right, and its timestamp is 10 m/);
    const failed = await runExpose(["logs", "verdict:failed", "--json"], env);
    expect(eventsOf(failed)).toMatchObject([
      { webhook: { provider: "stripe", code: "body-changed" } },
      { webhook: { provider: "stripe", code: "timestamp-old" } },
    ]);
    const all = await Promise.all([
      inspector.fetch("/api/v1/status").then((answer) => answer.text()),
      inspector.fetch("/api/v1/exchanges").then((answer) => answer.text()),
    ]);
    expect(all[0]).toContain('"secrets":["stripe"]');
    for (const text of [...all, client.stdout, client.stderr, failed.stdout])
      expect(text).not.toContain(SECRET);
  });

  it("come with the request's event in JSON", async () => {
    const { client, post } = await useShop("hooks-json", { json: true });
    await post(event, sign(event));
    await client.waitFor(/"event":"request".*"verdict":"verified"/);
    expect(
      eventsOf(client).find(({ event: name }) => name === "request"),
    ).toMatchObject({
      method: "POST",
      webhook: {
        provider: "stripe",
        event: "checkout.session.completed",
        verdict: "verified",
      },
    });
  });

  it("of a provider of one's own are checked as the configuration says", async () => {
    const { client } = await useShop("own", {
      config:
        "webhooks:\n  linear: { header: Linear-Signature, secret-env: MY_KEY, encoding: base64 }\n",
      env: { MY_KEY: "hush" },
    });
    const body = '{"action":"create","type":"Issue"}';
    const signature = createHmac("sha256", "hush")
      .update(body)
      .digest("base64");
    for (const value of [signature, signature.replace(/^./, "_")])
      await visit(world.urlOf("own"), "/linear", {
        method: "POST",
        body,
        headers: { "linear-signature": value },
      });
    await client.waitFor(/POST \/linear 400 .* linear Issue ✓/);
    await client.waitFor(/POST \/linear 400 .* linear Issue ✗/);
  });

  it("that nobody knows are a mistake of the configuration, which is told", async () => {
    const { client } = await useShop("unknown-provider", {
      config: "webhooks:\n  strip: { secret-env: X }\n",
    });
    await client.waitFor(/webhooks\.strip: .* is it stripe\?/);
  });

  it("are saved without what lets somebody in, and hold again when they are signed anew", async () => {
    const { home, env, post, got, upstream } = await useShop("saved");
    const old = sign(event, Date.now() - 600_000);
    await post(event, old);
    const file = join(home, "checkout.http");
    const [listed] = eventsOf(await runExpose(["logs", "--json"], env));
    const id = String(listed?.["id"]);
    const saved = await runExpose(["save", id, file], env);
    expect(saved).toMatchObject({ code: 0, stdout: "" });
    const text = readFileSync(file, "utf8");
    expect(text).toContain("# stripe checkout.session.completed");
    expect(text).toContain(`stripe-signature: ${old}`);
    expect(text).toContain("Without the secrets of authorization");
    expect(text).not.toContain("hush");

    const to = ["--to", String(upstream.port)];
    const stale = await runExpose(["send", file, ...to], env);
    expect(stale).toMatchObject({ code: 1, stdout: "bad signature" });
    expect(stale.stderr).toContain("HTTP/1.1 400 Bad Request");

    const secret = { EXPOSE_WEBHOOK_SECRET_STRIPE: SECRET };
    const fresh = await runExpose(["send", file, ...to, "--sign", "stripe"], {
      ...env,
      ...secret,
    });
    expect(fresh).toMatchObject({ code: 0, stdout: "thank you" });
    expect(got.at(-1)).toMatchObject({ body: event, valid: true });
    // The host that it had through the tunnel.
    expect(got.at(-1)?.host).toBe(got[0]?.host);

    // The client that runs has the secret: its replay signs too.
    const replayed = await runExpose(
      ["replay", "--last", "--sign", "stripe", "--json"],
      env,
    );
    // 400 before and 200 now: the answer is of another class.
    expect(replayed.code).toBe(1);
    expect(got.at(-1)).toMatchObject({ body: event, valid: true });

    const whole = join(home, "whole.http");
    await runExpose(["save", id, whole, "--with-secrets"], env);
    expect(readFileSync(whole, "utf8")).toContain("authorization: Bearer hush");
    const again = await runExpose(["save", id, file], env);
    expect(again).toMatchObject({ code: 3 });
    expect(again.stderr).toContain("--force");
  });

  it("can be sent through the tunnel, and saved in any form", async () => {
    const { home, env, post, got } = await useShop("around");
    await post(event, sign(event));
    const file = join(home, "a.http");
    await runExpose(["save", "last", file], env);
    // The edge, where names below localhost do not resolve: the Host is that of the file.
    const { port } = new URL(world.urlOf("around"));
    const sent = await runExpose(
      ["send", file, "--sign", "stripe", "--to", port, "--json"],
      { ...env, EXPOSE_WEBHOOK_SECRET_STRIPE: SECRET },
    );
    expect(eventsOf(sent)).toMatchObject([
      { event: "response", method: "POST", status: 200 },
    ]);
    expect(got).toHaveLength(2);
    for (const [name, begins] of [
      ["a.har", /^\{\n {2}"log"/],
      ["a.sh", /^(?:#.*\n)?curl /],
      ["a.test.ts", /^\/\/ Captured by expose/],
      ["a.mjs", /^(?:\/\/.*\n)*const response = await fetch/],
    ] as const) {
      const path = join(home, name);
      expect((await runExpose(["save", "last", path], env)).code).toBe(0);
      expect(readFileSync(path, "utf8")).toMatch(begins);
    }
    const shown = await runExpose(["save", "last", "-", "--as", "httpie"], env);
    expect(shown.stdout).toMatch(/^(?:#.*\n)?http /);
  });

  it("go out with their target as it is written", async () => {
    const targets: (string | undefined)[] = [];
    const upstream = await startUpstream((request, response) => {
      targets.push(`${request.headers.host} ${request.url}`);
      response.end();
    });
    const { home, env } = useCliHome();
    const file = join(home, "a.http");
    writeFileSync(
      file,
      [
        "GET http://shop.example.com/a/../b//[c]?d={e}#f",
        "OPTIONS *\nHost: own.example.com",
        "GET http://shop.example.com",
        "http://shop.example.com?x",
      ].join("\n\n###\n"),
    );
    const port = String(upstream.port);
    const sent = await runExpose(["send", file, "--to", port], env);
    expect(sent).toMatchObject({ code: 0, stdout: "" });
    expect(targets).toEqual([
      "shop.example.com /a/../b//[c]?d={e}",
      "own.example.com *",
      "shop.example.com /",
      "shop.example.com /?x",
    ]);
  });

  it("that cannot be sent say why", async () => {
    const { home, env, upstream } = await useShop("wrong");
    const file = join(home, "a.http");
    const send = async (text: string, ...more: string[]) => {
      writeFileSync(file, text);
      return runExpose(["send", file, ...more], env);
    };
    const to = ["--to", String(upstream.port)];
    expect(await send("nonsense", ...to)).toMatchObject({
      code: 3,
      stderr: expect.stringContaining(`${file}:1:`) as string,
    });
    expect(await send("POST /x")).toMatchObject({
      code: 3,
      stderr: expect.stringContaining("--to 8080") as string,
    });
    expect(await send("POST /x", ...to, "--sign", "stripe")).toMatchObject({
      code: 4,
      stderr: expect.stringContaining("EXPOSE_WEBHOOK_SECRET_STRIPE") as string,
    });
    expect(await send("POST /x", ...to, "--sign", "strip")).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("[provider-unknown]") as string,
    });
    expect(await send("POST /x", "--to", "1")).toMatchObject({
      code: 22,
      stderr: expect.stringContaining("[send-failed]") as string,
    });
    const format = await runExpose(["save", "last", "x.doc"], env);
    expect(format).toMatchObject({ code: 2 });
    const gone = await runExpose(["save", "0".repeat(26), "x.http"], env);
    expect(gone.stderr).toContain("[exchange-unknown]");
  });
});
