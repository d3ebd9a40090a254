// What was captured, as a HAR file, opened in the network panel of Chromium's own developer tools.
// one ingress only: what is looked at is the file, and both ingresses give the same one (webhooks.test.ts saves in both)
import { writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { gzipSync } from "node:zlib";
import {
  afterAll,
  beforeAll,
  describe,
  expect,
  it,
  onTestFinished,
} from "vitest";
import WebSocket, { WebSocketServer } from "ws";
import { startExpose, useCliHome } from "../../harness/cli.ts";
import { useBrowser } from "../../harness/inspector/browser.ts";
import { findInspector } from "../../harness/inspector.ts";
import { visit } from "../../harness/visit.ts";
import { startWorld, type World } from "../../harness/worlds.ts";

describe("a HAR of everything", () => {
  const openPage = useBrowser();
  let world: World;
  beforeAll(async () => {
    world = await startWorld("embedded");
  });
  afterAll(() => world.stop());

  it("opens in Chromium's network panel", async () => {
    const port = await startService();
    const { home, env } = useCliHome();
    const client = startExpose(
      [
        ...[String(port), "-s", "har", "--server", world.server],
        ...["--identity", world.identity("alice"), "--accept-new-host-key"],
      ],
      env,
    );
    const inspector = await findInspector(client, home);
    const url = world.urlOf("har");
    await visit(url, "/zipped.json?a=1");
    await visit(url, "/pixel.png");
    await visit(url, "/hooks", { method: "POST", body: "a=é" });
    await talk(url);

    const answer = await inspector.fetch("/api/v1/export?as=har");
    const file = join(home, "everything.har");
    writeFileSync(file, await answer.text());

    const page = await openPage();
    await page.goto("devtools://devtools/bundled/devtools_app.html");
    await page.getByRole("tab", { name: "Network" }).click();
    const choosing = page.waitForEvent("filechooser");
    await page.getByRole("button", { name: /Import HAR/ }).click();
    await (await choosing).setFiles(file);

    for (const name of ["zipped.json?a=1", "pixel.png", "hooks", "chat"])
      await page.getByRole("row", { name }).first().waitFor();
    const rows = await page.getByRole("row").allInnerTexts();
    expect(rows.find((row) => row.includes("pixel.png"))).toMatch(/200.*png/s);
    expect(rows.find((row) => row.includes("hooks"))).toMatch(/503/);
    expect(rows.find((row) => row.includes("chat"))).toMatch(/101.*websocket/s);

    // The name's cell opens the details; the other ones only choose the row.
    const open = (name: string) =>
      page.getByRole("row", { name }).first().locator("td").first().click();
    await open("zipped.json");
    await page.getByRole("tab", { name: "Response" }).click();
    await page.getByText("out of stock").first().waitFor();
    await open("chat");
    await page.getByRole("tab", { name: "Messages" }).click();
    await page.getByText("hello from outside").first().waitFor();
    await page.getByText("hello from inside").first().waitFor();
  }, 90_000);

  async function startService(): Promise<number> {
    const sockets = new WebSocketServer({ noServer: true });
    const server = createServer((request, response) => {
      if (request.url!.startsWith("/zipped")) {
        response.setHeader("content-type", "application/json");
        response.setHeader("content-encoding", "gzip");
        response.end(gzipSync('{"state":"out of stock"}'));
      } else if (request.url === "/pixel.png") {
        response.setHeader("content-type", "image/png");
        response.end(Buffer.from(PIXEL, "base64"));
      } else {
        response.statusCode = 503;
        response.end("later");
      }
    });
    server.on("upgrade", (request, socket, head) =>
      sockets.handleUpgrade(request, socket, head, (open) => {
        open.on("error", () => {});
        open.on("message", () => {
          open.send("hello from inside");
          open.close();
        });
      }),
    );
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    onTestFinished(() => {
      sockets.close();
      server.closeAllConnections();
      server.close();
    });
    return (server.address() as AddressInfo).port;
  }

  async function talk(url: string): Promise<void> {
    const { port, host } = new URL(url);
    const socket = new WebSocket(`ws://127.0.0.1:${port}/chat`, {
      headers: { host },
    });
    await once(socket, "open");
    socket.send("hello from outside");
    await once(socket, "close");
  }
});

const PIXEL =
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
