// one ingress only: what a terminal shows does not depend on how sessions reach the edge
// The live status in a real terminal (tmux): what is on the screen, also after a resize, a suspend and the end.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { CLI, useCliHome } from "../harness/cli.ts";
import { startTerminal, type TestTerminal } from "../harness/terminal.ts";
import { hello, startUpstream } from "../harness/upstreams.ts";
import { visit } from "../harness/visit.ts";
import { startWorld, type World } from "../harness/worlds.ts";

let world: World;
beforeAll(async () => {
  world = await startWorld("embedded");
});
afterAll(() => world.stop());

/** A terminal in which `expose` is a command that finds its server. */
async function openTerminal(
  options: {
    columns?: number;
    rows?: number;
    env?: Record<string, string>;
  } = {},
): Promise<TestTerminal & { home: string }> {
  const { env, home } = useCliHome();
  const terminal = await startTerminal({
    ...options,
    env: { ...env, EXPOSE_SERVER: world.server, ...options.env },
  });
  await terminal.type(
    `expose() { ${process.execPath} ${CLI} "$@" -i ${world.identity("alice")} --accept-new-host-key; }; clear`,
    "Enter",
  );
  await terminal.waitFor(/^\$ *\n\s*$/);
  return { ...terminal, home };
}

const count = (text: string, part: string): number =>
  text.split(part).length - 1;

test("the status shows where the tunnel leads and each request, in place", async () => {
  const upstream = await startUpstream(hello);
  const terminal = await openTerminal();
  await terminal.type(`echo before; expose ${upstream.port} -s live`, "Enter");
  await terminal.waitFor(/Status +online/);
  expect(await terminal.cursorVisible()).toBe(false);
  const url = world.urlOf("live");
  for (let n = 0; n < 15; n++) await visit(url, `/page/${n}`);
  const screen = await terminal.waitFor(/\/page\/14/);
  expect(screen).toContain(`Tunnel       ${url} -> localhost:${upstream.port}`);
  expect(screen).toContain("Identity     alice");
  expect(screen).toMatch(
    /Server +tunnel@127\.0\.0\.1:\d+ \(embedded, expose-edge/,
  );
  expect(screen).toMatch(/Latency +(<1|\d+) ms/);
  expect(screen).toMatch(/Connections +\d+ open, 15 requests/);
  expect(screen).toMatch(/\d\d:\d\d:\d\d GET +200 +\S+ ms \/page\/14/);
  // What was there before is there still, and the status is there once.
  expect(screen).toContain("before");
  expect(count(await terminal.screen({ history: true }), "Status  ")).toBe(1);
  expect(screen).not.toContain("/page/4 ");

  await terminal.type("C-c");
  const after = await terminal.waitFor(/Status +closed[^]*\n\$ *\n?/);
  expect(after).toContain("closed: as asked");
  expect(await terminal.cursorVisible()).toBe(true);
  await terminal.type("echo status $?", "Enter");
  await terminal.waitFor(/status 0/);
});

test("a resize leaves one status, which fits, with the whole URL", async () => {
  const upstream = await startUpstream(hello);
  const terminal = await openTerminal({ columns: 100, rows: 30 });
  await terminal.type(
    `expose ${upstream.port} -s resized-several-times`,
    "Enter",
  );
  await terminal.waitFor(/Status +online/);
  const url = world.urlOf("resized-several-times");
  await visit(url, `/${"long".repeat(30)}`);
  await terminal.waitFor(/\/longlong.*…/);
  // Each with what the layout for it looks like: terminals tell a program of their new size a moment later.
  const sizes = [
    [40, 30, /^http:.*\n\d*\n?-> /m],
    [120, 12, /^Tunnel .* -> /m],
    [60, 20, /^Tunnel .*\n +-> /m],
    [24, 24, /^online /m],
    [100, 30, /^Tunnel .* -> /m],
  ] as const;
  let requests = 1;
  for (const [columns, rows, layout] of sizes) {
    await terminal.resize(columns, rows);
    await terminal.waitFor(layout);
    await visit(url, `/at-${columns}`);
    const screen = await terminal.waitFor(
      new RegExp(`open, ${++requests} requests`),
    );
    expect(screen.replaceAll("\n", "")).toContain(url);
    expect(count(screen, "(Ctrl-C")).toBe(1);
  }
});

test("a suspended process gives the terminal back, and takes it again", async () => {
  const terminal = await openTerminal();
  await terminal.type("expose 8080 -s suspended", "Enter");
  await terminal.waitFor(/Status +online/);
  await terminal.type("C-z");
  await terminal.waitFor(/Stopped/);
  expect(await terminal.cursorVisible()).toBe(true);
  await terminal.type("fg", "Enter");
  await terminal.waitFor(/Status +online/);
  await terminal.type("C-c");
  await terminal.waitFor(/Status +closed/);
});

test("what is typed meanwhile does no harm, and a terminal that takes nothing stops no tunnel", async () => {
  const upstream = await startUpstream(hello);
  const terminal = await openTerminal();
  await terminal.type(`expose ${upstream.port} -s typed`, "Enter");
  await terminal.waitFor(/Status +online/);
  await terminal.type("Enter", "noise", "Enter");
  const url = world.urlOf("typed");
  await visit(url, "/one");
  await terminal.waitFor(/\/one/);
  await terminal.type("C-s");
  for (let n = 0; n < 30; n++)
    expect((await visit(url, "/held")).status).toBe(200);
  await terminal.type("C-q");
  const screen = await terminal.waitFor(/ 31 requests/);
  expect(count(screen, "Status  ")).toBe(1);
});

test("bytes of visitors cannot drive the terminal", async () => {
  const upstream = await startUpstream(hello);
  const terminal = await openTerminal();
  await terminal.type(`expose ${upstream.port} -s hostile`, "Enter");
  await terminal.waitFor(/Status +online/);
  await visit(world.urlOf("hostile"), "/%1b]0;owned%07%9b2J%0a-here");
  const screen = await terminal.waitFor(/-here/);
  expect(screen).toContain("%1b]0;owned%07%9b2J%0a-here");
  expect(screen).toMatch(/Status +online/);
});

test.each([
  ["NO_COLOR", { NO_COLOR: "1" }, ""],
  ["TERM=dumb", { TERM: "dumb" }, ""],
  ["--no-color", {}, "--no-color"],
])(
  "%s gives plain lines without a single escape sequence",
  async (_name, env, flag) => {
    const upstream = await startUpstream(hello);
    const terminal = await openTerminal();
    const log = join(terminal.home, "typescript");
    const assignments = Object.entries(env).map(
      ([name, value]) => `${name}=${value}`,
    );
    await terminal.type(
      `${assignments.map((text) => `export ${text};`).join(" ")} script -qefc '${process.execPath} ${CLI} ${upstream.port} -s dull ${flag} -i ${world.identity("alice")} --accept-new-host-key' ${log}`,
      "Enter",
    );
    await terminal.waitFor(/through/);
    await visit(world.urlOf("dull"), "/shown");
    await terminal.waitFor(/GET \/shown 200/);
    await terminal.type("C-c");
    await terminal.waitFor(/closed[^]*\n\$/);
    const written = readFileSync(log, "utf8");
    expect(written).toContain("GET /shown 200");
    expect(written).not.toContain("\x1b");
  },
);

test("a QR code that would help nobody is not drawn, and the reason is said", async () => {
  const terminal = await openTerminal();
  await terminal.type("expose 8080 -s coded --qr", "Enter");
  const screen = await terminal.waitFor(/No QR code: .*localhost[^]*online/);
  expect(screen).not.toContain("▄▄▄▄▄");
});

test("a lost edge is shown with the attempts, and its return too", async () => {
  const upstream = await startUpstream(hello);
  const own = await startWorld("embedded");
  try {
    const terminal = await openTerminal({ env: { EXPOSE_SERVER: own.server } });
    await terminal.type(
      `clear; ${process.execPath} ${CLI} ${upstream.port} -s away -i ${own.identity("alice")} --accept-new-host-key`,
      "Enter",
    );
    await terminal.waitFor(/Status +online/);
    own.edge.kill("SIGKILL");
    await terminal.waitFor(
      /Status +reconnecting \(attempt \d+, (next attempt in \d+ s|trying now)\)/,
    );
    await own.restartEdge();
    await terminal.waitFor(/Status +online/);
  } finally {
    await own.stop();
  }
});
