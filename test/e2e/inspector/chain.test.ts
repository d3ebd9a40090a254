// The inspector's page over a real client, edge and service: what a visitor did is seen, repeated and taken away.
import { createHmac } from "node:crypto";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { PAGE_POLICY } from "@expose/protocol";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, expect, it } from "vitest";
import { WebSocket } from "ws";
import { startExpose, useCliHome } from "../../harness/cli.ts";
import { findInspector } from "../../harness/inspector.ts";
import { until, useBrowser } from "../../harness/inspector/browser.ts";
import { startWebShop } from "../../harness/inspector/web-shop.ts";
import { visit } from "../../harness/visit.ts";
import {
  describeIngress,
  startWorld,
  type World,
} from "../../harness/worlds.ts";

const openPage = useBrowser();
const SECRET = "a secret of the shop";

describeIngress("the inspector's page", (ingress) => {
  let world: World;
  beforeAll(async () => {
    world = await startWorld(ingress);
  });
  afterAll(() => world.stop());

  /** A client of the web shop, and its page. */
  async function openShop(name: string, options = {}) {
    const shop = await startWebShop();
    const { home, env } = useCliHome();
    const start = (inspectPort: number) =>
      startExpose(
        [
          ...[String(shop.upstream.port), "-s", name],
          ...["--server", world.server, "--accept-new-host-key"],
          ...["--identity", world.identity("alice")],
          ...["--inspect-port", String(inspectPort)],
        ],
        { ...env, EXPOSE_WEBHOOK_SECRET_GITHUB: SECRET },
      );
    const expose = start(0);
    const inspector = await findInspector(expose, home);
    const page = await openPage(options);
    const answer = await page.goto(inspector.url);
    const url = world.urlOf(name);
    const asked = (path: string, more = {}) => visit(url, path, more);
    const again = () => start(inspector.port);
    return { shop, page, url, asked, answer: answer!, expose, again };
  }

  const row = (page: Page, text: string) =>
    page.locator(".list-canvas .row").filter({ hasText: text }).first();
  const detailOf = (page: Page) =>
    page.getByRole("region", { name: "Details of the request" });

  it("shows where to begin, and each request as it comes, under the policy that the other tests use", async () => {
    const { page, url, asked, answer } = await openShop("begin");
    expect(answer.headers()["content-security-policy"]).toBe(PAGE_POLICY);
    await page.locator(".empty").getByText(url).waitFor();
    const tunnel = page.getByRole("list", { name: "Tunnels" });
    await tunnel.locator(".tone-good").waitFor();
    expect(await tunnel.locator(".tone-warn").count()).toBe(0);
    await asked("/hello?a=1");
    await row(page, "/hello?a=1").waitFor();
    await row(page, "/hello?a=1").click();
    const response = detailOf(page).getByRole("region", { name: "Response" });
    await response.getByText("hello /hello?a=1").waitFor();
    await detailOf(page).getByText("Waiting").waitFor();
  });

  it("shows bodies of each kind as what they are", async () => {
    const { page, asked } = await openShop("bodies");
    const detail = detailOf(page);
    const show = async (path: string) => {
      await asked(path);
      await row(page, path).click();
      await detail
        .locator(".detail-title")
        .getByText(path, { exact: true })
        .waitFor();
    };
    await show("/gzip");
    await detail.getByText("gzip undone: 15 B").waitFor();
    expect(await detail.locator(".json-key").allInnerTexts()).toEqual([
      '"packed"',
    ]);
    await show("/br");
    await detail.getByText("<b/>").waitFor();
    await show("/broken");
    await detail.getByText(/Line 3, column 3/).waitFor();
    await show("/bytes");
    await detail.getByText("de ad be ef").waitFor();
    await show("/picture");
    await detail.getByText("image/png 1 × 1").waitFor();
    await asked("/form", {
      method: "POST",
      headers: { "content-type": "application/x-www-form-urlencoded" },
      body: "name=Ada&note=one+%26+two",
    });
    await row(page, "/form").click();
    await detail.getByText("one & two").waitFor();
  });

  it("shows what a WebSocket said, and the events of a stream", async () => {
    const { page, url, asked } = await openShop("live");
    const { port, host } = new URL(url);
    const socket = new WebSocket(`ws://127.0.0.1:${port}/socket`, {
      headers: { host },
    });
    await once(socket, "open");
    socket.send("how much?");
    await once(socket, "message");
    await row(page, "/socket").click();
    const messages = detailOf(page).getByRole("region", { name: "Messages" });
    await messages.getByText("seen: how much?").waitFor();
    socket.close(1_000);
    await messages.getByText("close · 1000").first().waitFor();

    await asked("/events");
    await row(page, "/events").click();
    const events = detailOf(page).getByRole("region", { name: "Events" });
    await events.getByText("price · id 7").waitFor();
    await events.getByText("4990").waitFor();
  });

  it("filters as the client does, in bodies too, and points at a mistake", async () => {
    const { page, asked } = await openShop("filter");
    await asked("/one", { method: "POST", body: "a needle in it" });
    await asked("/two");
    await row(page, "/two").waitFor();
    const filter = page.getByRole("textbox", { name: "Filter" });
    await filter.fill("body:needle");
    await until(() =>
      page.locator(".list-canvas .row .path").allInnerTexts(),
    ).toEqual(["/one"]);
    await filter.fill("metod:GET");
    await page
      .getByText("At character 1: There is no key metod: is it method:?")
      .waitFor();
  });

  it("replays, compares, edits, and repeats the last ones that match", async () => {
    const { shop, page, asked } = await openShop("again");
    await asked("/stock?sku=A1", {
      headers: { authorization: "Bearer hidden" },
    });
    await row(page, "/stock?sku=A1").click();
    const detail = detailOf(page);
    await detail.getByText("out of order").waitFor();
    shop.stock = { status: 200, body: { left: 3 } };
    await page.keyboard.press("r");
    const compared = detail.getByRole("region", {
      name: "Compared with the original",
    });
    await compared.getByText("500 → 200").waitFor();
    await compared.getByText("/left").waitFor();

    await page.keyboard.press("e");
    const dialog = page.getByRole("dialog");
    await dialog.getByLabel("Path and query").fill("/stock?sku=B2");
    await dialog.getByLabel("Times").fill("3");
    await dialog.getByRole("button", { name: "Send" }).click();
    await dialog
      .getByText("Sent 3 times: all in the class of the original.")
      .waitFor();
    expect(shop.upstream.seen).toEqual([
      ...Array.from({ length: 2 }, () => "GET /stock?sku=A1"),
      ...Array.from({ length: 3 }, () => "GET /stock?sku=B2"),
    ]);
    await page.keyboard.press("Escape");

    await page.keyboard.press("m");
    await dialog.getByLabel("Filter").fill("path:/stock replay:no");
    await dialog.getByRole("button", { name: "Replay", exact: true }).click();
    await dialog
      .getByText("1 replayed: 1 not in the class of before.")
      .waitFor();
    await dialog.getByText("GET /stock?sku=A1").waitFor();
  });

  it("says whether a webhook is right, and signs it again", async () => {
    const { page, asked } = await openShop("hooks");
    const body = '{"zen":"Keep it logically awesome."}';
    const sign = (key: string) =>
      `sha256=${createHmac("sha256", key).update(body).digest("hex")}`;
    const hook = (key: string) =>
      asked("/hook", {
        method: "POST",
        headers: {
          "content-type": "application/json",
          "x-github-event": "ping",
          "x-github-delivery": "72d3162e-cc78-11e3-81ab-4c9367dc0958",
          "x-hub-signature-256": sign(key),
        },
        body,
      });
    await hook(SECRET);
    await row(page, "github ping").filter({ hasText: "verified" }).waitFor();
    await hook("another secret");
    await row(page, "failed").click();
    const card = detailOf(page).getByRole("region", { name: "Webhook" });
    await card.getByText("signature failed").waitFor();
    await card.getByRole("button", { name: "Sign again and replay" }).click();
    await card.getByText("signature verified").waitFor();
    await detailOf(page)
      .getByRole("region", { name: "Compared with the original" })
      .waitFor();
  });

  it("gives a request away as a command that works, and all as HAR", async () => {
    const { page, asked, url } = await openShop("out", {
      permissions: ["clipboard-read", "clipboard-write"],
      acceptDownloads: true,
    });
    await asked("/taken?a=1", { method: "POST", body: "it's" });
    await row(page, "/taken").click();
    await detailOf(page).getByText("Export").click();
    await detailOf(page).getByRole("button", { name: "Copy as curl" }).click();
    await until(() =>
      page.evaluate(() => navigator.clipboard.readText()),
    ).toContain(`${url}/taken?a=1`);
    const [saved] = await Promise.all([
      page.waitForEvent("download"),
      page.getByRole("button", { name: "Download HAR" }).click(),
    ]);
    const har = JSON.parse(await readFile(await saved.path(), "utf8")) as {
      log: { entries: { request: { url: string } }[] };
    };
    expect(har.log.entries.map(({ request }) => request.url)).toEqual([
      `${url}/taken?a=1`,
    ]);
  });

  it("goes on when the client was started again, with the history of before", async () => {
    const { page, asked, expose, again } = await openShop("restart");
    await asked("/before");
    await row(page, "/before").waitFor();
    expose.kill("SIGINT");
    await expose.exited;
    const lost = page.getByText("The client does not answer. Trying again…");
    await lost.waitFor();

    await again().waitFor(/^http:\S+$/m);
    await lost.waitFor({ state: "detached" });
    // Another run has another token.
    await asked("/after");
    await row(page, "/after").click();
    await detailOf(page).getByText("hello /after").waitFor();
    await row(page, "/before").click();
    await detailOf(page).getByText("hello /before").waitFor();
  });
});
