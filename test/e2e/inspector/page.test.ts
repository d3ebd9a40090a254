// The inspector's page in a real Chromium: what it shows, and what it does when somebody clicks and types.
// one ingress only: the client behind the page is a stand-in that can be told what to say
import { describe, expect, test } from "vitest";
import type { Page } from "playwright-core";
import type { Exchange } from "@expose/protocol";
import { until, useBrowser } from "../../harness/inspector/browser.ts";
import {
  FakeClient,
  startFakeClient,
  type FakeExchange,
} from "../../harness/inspector/fake-client.ts";
import { nextId, sample } from "../../harness/inspector/sample.ts";

const openPage = useBrowser();

/** A page that shows what the client has. */
async function visit(client: FakeClient, options = {}): Promise<Page> {
  const page = await openPage(options);
  await page.goto(client.url);
  await page.getByRole("grid").waitFor({ state: "attached" });
  return page;
}

const rowsOf = (page: Page) => page.locator(".list-canvas [role=row]");
const rowWith = (page: Page, text: string) =>
  rowsOf(page).filter({ hasText: text });
const detailOf = (page: Page) =>
  page.getByRole("region", { name: "Details of the request" });

describe("the list", () => {
  test("shows time, method, status, path, tunnel, duration, size and verdict of each exchange, newest first", async () => {
    const client = await startFakeClient();
    client.add(
      { exchange: sample({ target: "/first" }) },
      {
        exchange: sample({
          target: "/hooks",
          method: "POST",
          status: 500,
          durationMs: 1_234,
          responseBytes: 4_321,
          startedAt: new Date(2026, 0, 2, 3, 4, 5, 678).getTime(),
          webhook: {
            provider: "stripe",
            event: "charge.failed",
            verdict: "failed",
          },
        }),
      },
    );
    const page = await visit(client);
    await rowsOf(page).first().waitFor();
    expect(
      await rowsOf(page).first().locator("[role=gridcell]").allTextContents(),
    ).toEqual([
      "01-02 03:04:05",
      "POST",
      "■500",
      "/hooks",
      "shop",
      "1.23 s",
      "4.3 kB",
      "✗stripe charge.failed, failed",
    ]);
    await expect(rowsOf(page).nth(1).innerText()).resolves.toContain("/first");
    expect(await page.getByRole("columnheader").allInnerTexts()).toEqual([
      "Time",
      "Method",
      "Status",
      "Path",
      "Tunnel",
      "Duration",
      "Size",
      "Webhook",
    ]);
  });

  test("takes in what happens, changes what goes on, and forgets what is cleared", async () => {
    const client = await startFakeClient();
    const page = await visit(client);
    await page.getByText("No requests yet").waitFor();
    const open = sample({ target: "/slow", state: "open" });
    const { status, durationMs, ...before } = open;
    client.add({ exchange: before });
    await rowWith(page, "/slow").filter({ hasText: "still open" }).waitFor();
    client.add({ exchange: { ...open, state: "complete" } });
    await rowWith(page, "/slow").filter({ hasText: "200" }).waitFor();
    expect(await rowsOf(page).count()).toBe(1);
    expect([status, durationMs]).toEqual([200, 24.2]);

    await page.getByRole("button", { name: "Clear" }).click();
    expect(client.exchanges.size).toBe(1);
    await page.getByRole("button", { name: "Really forget all?" }).click();
    await page.getByText("No requests yet").waitFor();
    expect(client.exchanges.size).toBe(0);
  });

  test("holds what comes while it is paused, says how much, and shows it on resume", async () => {
    const client = await startFakeClient();
    client.add({ exchange: sample({ target: "/before" }) });
    const page = await visit(client);
    await rowWith(page, "/before").waitFor();
    await page.getByRole("button", { name: "Pause" }).click();
    client.add({ exchange: sample({ target: "/meanwhile" }) });
    client.add({ exchange: sample({ target: "/meanwhile" }) });
    const follow = page.getByRole("button", { name: "Follow (2 new)" });
    await follow.waitFor();
    expect(await rowWith(page, "/meanwhile").count()).toBe(0);
    expect(await page.title()).toBe("(2) expose");
    await follow.click();
    await rowWith(page, "/meanwhile").nth(1).waitFor();
  });

  test("tells kinds and ends of exchanges apart by more than colour", async () => {
    const client = await startFakeClient();
    const {
      status: _s,
      response: _r,
      ...cut
    } = sample({ target: "/cut", state: "aborted" });
    client.add(
      { exchange: sample({ target: "/ok", status: 201 }) },
      { exchange: sample({ target: "/moved", status: 302 }) },
      { exchange: sample({ target: "/gone", status: 410 }) },
      { exchange: sample({ target: "/bad", status: 503 }) },
      { exchange: cut },
      {
        exchange: sample({
          target: "/ws",
          kind: "websocket",
          status: 101,
          messages: 7,
        }),
      },
    );
    const page = await visit(client);
    const marks = async (target: string) =>
      rowWith(page, target).locator(".status .mark").innerText();
    await rowWith(page, "/ws").waitFor();
    expect(
      await Promise.all(
        ["/ok", "/moved", "/gone", "/bad", "/cut", "/ws"].map(marks),
      ),
    ).toEqual(["●", "↪", "▲", "■", "✕", "⇄"]);
    expect(await rowWith(page, "/ws").innerText()).toContain("7 msg");
  });
});

describe("the filter", () => {
  test("asks the client for what matches, while one types, and for new ones too", async () => {
    const client = await startFakeClient();
    client.add(
      { exchange: sample({ target: "/a" }) },
      { exchange: sample({ target: "/b" }) },
    );
    const page = await visit(client);
    await rowsOf(page).nth(1).waitFor();
    await page.keyboard.press("/");
    await page.keyboard.type("/a");
    await until(() => rowsOf(page).count()).toBe(1);
    client.add(
      { exchange: sample({ target: "/b2" }) },
      { exchange: sample({ target: "/a2" }) },
    );
    await rowWith(page, "/a2").waitFor();
    expect(await rowsOf(page).count()).toBe(2);
    await page.keyboard.press("Escape");
    await until(() => rowsOf(page).count()).toBe(4);
  });

  test("points at the place of a mistake", async () => {
    const client = await startFakeClient();
    client.filter = () => ({
      code: "filter-invalid",
      message: "There is no key metod: is it method:?",
      position: 11,
    });
    client.add({ exchange: sample() });
    const page = await visit(client);
    await rowsOf(page).first().waitFor();
    await page
      .getByRole("textbox", { name: "Filter" })
      .fill("status:5xx metod:GET");
    const alert = page.getByRole("alert").filter({ hasText: "metod" });
    await alert.waitFor();
    expect(await alert.locator("mark").innerText()).toBe("m");
    expect(await alert.innerText()).toContain(
      "At character 12: There is no key metod",
    );
    expect(
      await page
        .getByRole("textbox", { name: "Filter" })
        .getAttribute("aria-invalid"),
    ).toBe("true");
  });

  test("shows its syntax, with examples to try", async () => {
    const client = await startFakeClient();
    const page = await visit(client);
    await page.getByRole("button", { name: "Syntax" }).click();
    await page.getByText("All terms must hold").waitFor();
    await page.getByRole("button", { name: "status:5xx" }).click();
    await until(() =>
      Promise.resolve(
        client.seen.some(({ request }) =>
          request.includes("filter=status%3A5xx"),
        ),
      ),
    ).toBe(true);
  });

  test("says when nothing matches", async () => {
    const client = await startFakeClient();
    client.add({ exchange: sample() });
    const page = await visit(client);
    await page.getByRole("textbox", { name: "Filter" }).fill("nowhere");
    await page.getByText("Nothing matches").waitFor();
  });
});

describe("the keyboard", () => {
  test("walks the list, opens and closes details, and gives the focus back", async () => {
    const client = await startFakeClient();
    for (let i = 0; i < 100; i++)
      client.add({ exchange: sample({ target: `/n${i}` }) });
    const page = await visit(client);
    await rowsOf(page).first().waitFor();
    const selected = () =>
      page.locator("[aria-selected=true] .path").innerText();

    await page.keyboard.press("j");
    expect(await selected()).toBe("/n99");
    await page.keyboard.press("ArrowDown");
    expect(await selected()).toBe("/n98");
    await page.keyboard.press("k");
    expect(await selected()).toBe("/n99");
    await page.getByRole("grid").focus();
    await page.keyboard.press("End");
    expect(await selected()).toBe("/n0");
    const active = await page
      .getByRole("grid")
      .getAttribute("aria-activedescendant");
    expect(await page.locator(`[id="${active}"]`).isVisible()).toBe(true);
    await page.keyboard.press("Home");
    await page.keyboard.press("PageDown");
    expect(await selected()).not.toBe("/n99");

    await page.keyboard.press("Enter");
    await detailOf(page).waitFor();
    await until(() =>
      detailOf(page).evaluate((element) => element === document.activeElement),
    ).toBe(true);
    await page.keyboard.press("j");
    await detailOf(page)
      .getByText(await selected(), { exact: true })
      .first()
      .waitFor();
    await page.keyboard.press("Escape");
    await detailOf(page).waitFor({ state: "detached" });
    expect(
      await page
        .getByRole("grid")
        .evaluate((element) => element === document.activeElement),
    ).toBe(true);
  });

  test("shows its keys on ?, keeps the focus in the dialog, and can be switched off", async () => {
    const client = await startFakeClient();
    client.add({ exchange: sample() });
    const page = await visit(client);
    await rowsOf(page).first().waitFor();
    await page.keyboard.press("?");
    const dialog = page.getByRole("dialog", { name: "Keys and filter" });
    await dialog.getByText("edit and replay").waitFor();
    await dialog
      .getByRole("checkbox", { name: "Keys of one letter do something" })
      .uncheck();
    await page.keyboard.press("Escape");
    await dialog.waitFor({ state: "detached" });
    await page.keyboard.press("j");
    await page.keyboard.press("?");
    expect(await page.locator("[aria-selected=true]").count()).toBe(0);
    expect(await dialog.count()).toBe(0);
    await page.getByRole("grid").focus();
    await page.keyboard.press("ArrowDown");
    expect(await page.locator("[aria-selected=true]").count()).toBe(1);
  });

  test("types letters into fields, and does nothing else with them", async () => {
    const client = await startFakeClient();
    client.add({ exchange: sample() });
    const page = await visit(client);
    await rowsOf(page).first().waitFor();
    await page.keyboard.press("/");
    await page.keyboard.type("jkrep?m");
    expect(
      await page.getByRole("textbox", { name: "Filter" }).inputValue(),
    ).toBe("jkrep?m");
    expect(await page.getByRole("dialog").count()).toBe(0);
    expect(
      client.seen.filter(({ request }) => request.startsWith("POST")),
    ).toEqual([]);
  });
});

describe("what is not as it should be", () => {
  test("with nothing to show, the URL is there to be copied", async () => {
    const client = await startFakeClient();
    const page = await visit(client, {
      permissions: ["clipboard-read", "clipboard-write"],
    });
    await page.getByText("Here is your URL").waitFor();
    await page
      .locator(".empty")
      .getByRole("button", { name: "Copy URL of shop" })
      .click();
    await until(() => page.evaluate(() => navigator.clipboard.readText())).toBe(
      "https://shop.example.com",
    );
  });

  test("when the client is gone it says so, and goes on when it is back", async () => {
    const client = new FakeClient();
    await client.listen();
    client.add({ exchange: sample({ target: "/before" }) });
    const page = await visit(client);
    await rowWith(page, "/before").waitFor();
    const port = Number(new URL(client.url).port);
    await client.close();
    await page.getByText("The client does not answer. Trying again…").waitFor();
    expect(await rowWith(page, "/before").count()).toBe(1);

    const next = await startFakeClient(port);
    next.add(...client.exchanges.values(), {
      exchange: sample({ target: "/after" }),
    });
    await rowWith(page, "/after").waitFor();
    await page
      .getByText("The client does not answer. Trying again…")
      .waitFor({ state: "detached" });
  });

  test("a tab that nobody looks at leaves its connection to others, and catches up when somebody does", async () => {
    const client = await startFakeClient();
    const page = await openPage();
    await page.clock.install();
    await page.goto(client.url);
    await until(() => client.followers).toBe(1);
    const look = (visibilityState: "hidden" | "visible") =>
      page.evaluate((state) => {
        Object.defineProperty(document, "visibilityState", {
          value: state,
          configurable: true,
        });
        document.dispatchEvent(new Event("visibilitychange"));
      }, visibilityState);
    await look("hidden");
    await page.clock.fastForward(59_000);
    expect(client.followers).toBe(1);
    await page.clock.fastForward(2_000);
    await until(() => client.followers).toBe(0);
    client.add({ exchange: sample({ target: "/unseen" }) });
    await look("visible");
    await rowWith(page, "/unseen").waitFor();
    expect(client.followers).toBe(1);
  });

  test("a download under way is looked at now and then, not with each piece", async () => {
    const client = await startFakeClient();
    const exchange = sample({ state: "open", responseBytes: 0 });
    client.add({ exchange });
    const page = await visit(client);
    await openFirst(page);
    await detailOf(page).getByText("Response").first().waitFor();
    const before = client.seen.length;
    for (let bytes = 1; bytes <= 10; bytes++) {
      client.add({ exchange: { ...exchange, responseBytes: bytes * 1_000 } });
      await rowWith(page, `${bytes}.0 kB`.replace("10.0", "10")).waitFor();
    }
    expect(client.seen.length - before).toBeLessThan(20);
    client.add({
      exchange: { ...exchange, state: "complete", note: "All of it." },
    });
    await detailOf(page).getByText("All of it.").waitFor();
  });

  test("a history in memory alone, and exchanges that were missed, are said with the reason", async () => {
    const client = await startFakeClient();
    client.status = {
      ...client.status,
      store: {
        exchanges: 3,
        bytes: 12_000,
        missed: 41,
        memoryOnlyBecause: "the disk is full.",
      },
    };
    const page = await visit(client);
    await page.getByText("History in memory only: the disk is full.").waitFor();
    await page.getByText("41 not captured").waitFor();
  });

  test.each([
    ["load the list", "GET /api/v1/exchanges", async () => {}],
    ["load the details", "GET /api/v1/exchanges/ID", openFirst],
    ["show the body", "GET /api/v1/exchanges/ID/response/view", openFirst],
    [
      "replay it",
      "POST /api/v1/exchanges/ID/replay",
      async (page: Page) => {
        await openFirst(page);
        await detailOf(page)
          .getByRole("button", { name: "Replay", exact: true })
          .click();
      },
    ],
    [
      "take it out",
      "GET /api/v1/exchanges/ID/export",
      async (page: Page) => {
        await openFirst(page);
        await detailOf(page).getByText("Export").click();
        await detailOf(page)
          .getByRole("button", { name: "Copy as curl" })
          .click();
      },
    ],
    [
      "make the HAR",
      "GET /api/v1/export",
      (page: Page) =>
        page.getByRole("button", { name: "Download HAR" }).click(),
    ],
    [
      "clear the history",
      "DELETE /api/v1/exchanges",
      async (page: Page) => {
        await page.getByRole("button", { name: "Clear" }).click();
        await page.getByRole("button", { name: "Really forget all?" }).click();
      },
    ],
    [
      "replay them",
      "POST /api/v1/replays",
      async (page: Page) => {
        await page.keyboard.press("m");
        await page
          .getByRole("dialog")
          .getByRole("button", { name: "Replay", exact: true })
          .click();
      },
    ],
  ])(
    "an error is shown where it happened: could not %s",
    async (doing, route, act) => {
      const client = await startFakeClient();
      const exchange = sample();
      client.add({ exchange });
      client.failures.set(route.replace("ID", exchange.id), {
        status: 500,
        error: { code: "store-broken", message: "The history cannot be read." },
      });
      const page = await visit(client);
      await act(page);
      const note = page
        .getByRole("alert")
        .filter({ hasText: `Could not ${doing}.` });
      await note.waitFor();
      expect(await note.innerText()).toContain(
        "The history cannot be read. store-broken",
      );
    },
  );
});

async function openFirst(page: Page): Promise<void> {
  await rowsOf(page).first().click();
  await detailOf(page).waitFor();
}

/** Opens the details of the only exchange. */
async function showOnly(one: FakeExchange, options = {}) {
  const client = await startFakeClient();
  client.add(one);
  const page = await visit(client, options);
  await openFirst(page);
  return { client, page, detail: detailOf(page) };
}

const withBody = (changes: Partial<Exchange> = {}): Exchange => {
  const exchange = sample({ method: "POST", ...changes });
  return {
    ...exchange,
    request: {
      ...exchange.request!,
      body: { bytes: 10, keptBytes: 10, framing: "length" },
    },
  };
};

describe("the details", () => {
  test("have request and response side by side, and below one another at phone width", async () => {
    const { page, detail } = await showOnly({ exchange: sample() });
    const [request, response] = [
      detail.getByRole("region", { name: "Request" }),
      detail.getByRole("region", { name: "Response" }),
    ];
    await response.waitFor();
    const wide = [await request.boundingBox(), await response.boundingBox()];
    expect(wide[0]!.y).toBe(wide[1]!.y);
    expect(wide[1]!.x).toBeGreaterThan(wide[0]!.x + wide[0]!.width - 1);
    await page.setViewportSize({ width: 360, height: 740 });
    await until(() =>
      request.boundingBox().then((box) => box!.x < wide[0]!.x),
    ).toBe(true);
    const narrow = [await request.boundingBox(), await response.boundingBox()];
    expect(narrow[0]!.x).toBe(narrow[1]!.x);
    expect(narrow[1]!.y).toBeGreaterThan(narrow[0]!.y);
    expect(
      await page.evaluate(() => document.documentElement.scrollWidth),
    ).toBe(360);
  });

  test("cover the list at phone width, take the focus, and give it back where it was", async () => {
    const client = await startFakeClient();
    for (let i = 0; i < 200; i++)
      client.add({ exchange: sample({ target: `/n${i}` }) });
    const page = await visit(client, { viewport: { width: 360, height: 740 } });
    const grid = page.getByRole("grid");
    await rowWith(page, "/n199").waitFor();
    await grid.evaluate((element) => (element.scrollTop = 2_000));
    await rowWith(page, "/n155").click();
    await until(() =>
      detailOf(page).evaluate((element) => element === document.activeElement),
    ).toBe(true);
    await page.getByRole("button", { name: "Close the details" }).click();
    await until(() =>
      grid.evaluate((element) => element === document.activeElement),
    ).toBe(true);
    expect(await grid.evaluate((element) => element.scrollTop)).toBe(2_000);
  });

  test("mark redacted headers and copy the others", async () => {
    const exchange = sample({ redacted: ["authorization"] });
    const { page, detail } = await showOnly(
      {
        exchange: {
          ...exchange,
          request: {
            ...exchange.request!,
            headers: [
              ["Authorization", "[redacted]"],
              ["X-Odd", "a\tb"],
            ],
          },
        },
      },
      { permissions: ["clipboard-read", "clipboard-write"] },
    );
    await detail.getByText("redacted", { exact: true }).waitFor();
    await detail.getByRole("button", { name: "Copy header X-Odd" }).click();
    await until(() => page.evaluate(() => navigator.clipboard.readText())).toBe(
      "a\tb",
    );
  });

  test("draw when each phase was, and say it", async () => {
    const { detail } = await showOnly({ exchange: sample() });
    const timing = detail.getByRole("region", { name: "Timing" });
    await timing.getByText("Waiting").waitFor();
    expect(await timing.innerText()).toContain("22 ms");
    expect(await timing.locator("rect").count()).toBe(5);
  });

  test("say what is cut off, why, and what is not kept", async () => {
    const exchange = sample({
      state: "aborted",
      note: "The visitor went away.",
    });
    const { detail } = await showOnly({
      exchange: {
        ...exchange,
        response: {
          ...exchange.response!,
          body: { bytes: 5_000_000, keptBytes: 1_000_000, framing: "chunked" },
        },
      },
      views: { response: { kind: "text", text: "x", truncated: true } },
    });
    await detail.getByText("The visitor went away.").waitFor();
    await detail
      .getByText("5.0 MB, of which the first 1.0 MB are kept")
      .waitFor();
    await detail.getByText("▲ truncated").waitFor();
  });

  test("of an exchange that is gone say so", async () => {
    const client = await startFakeClient();
    client.add({ exchange: sample() });
    const page = await visit(client);
    await rowsOf(page).first().waitFor();
    client.exchanges.clear();
    await openFirst(page);
    await detailOf(page)
      .getByText("There is no such exchange. exchange-unknown")
      .waitFor();
  });
});

// 1 × 1 pixels.
const PNG = Buffer.from(
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==",
  "base64",
);

describe("bodies", () => {
  test("JSON is pretty-printed, and can be seen as it was sent and in hexadecimal", async () => {
    const { detail } = await showOnly({
      exchange: sample(),
      views: {
        response: { kind: "json", text: '{\n  "a": [1, true, "x"]\n}' },
      },
      bodies: { response: Buffer.from('{"a":[1,true,"x"]}') },
    });
    const response = detail.getByRole("region", { name: "Response" });
    await until(() =>
      response.getByLabel("Body", { exact: true }).innerText(),
    ).toBe('{\n  "a": [1, true, "x"]\n}');
    expect(await response.locator(".json-key").allInnerTexts()).toEqual([
      '"a"',
    ]);
    await response.getByRole("button", { name: "Text" }).click();
    await until(() =>
      response.getByLabel("Body", { exact: true }).innerText(),
    ).toBe('{"a":[1,true,"x"]}');
    await response.getByRole("button", { name: "Hex" }).click();
    await until(() =>
      response.getByLabel("Bytes in hexadecimal").innerText(),
    ).toContain("7b 22 61 22");
  });

  test("a long one is shown piece by piece, and never with an element for each word", async () => {
    const text = `[${"1234567, ".repeat(50_000)}0]`;
    const { page, detail } = await showOnly({
      exchange: sample(),
      views: { response: { kind: "json", text } },
    });
    const more = detail.getByRole("button", { name: "Show more" });
    await more.waitFor();
    const shown = () =>
      detail
        .getByLabel("Body", { exact: true })
        .evaluate((element) => element.textContent?.length);
    expect(await shown()).toBe(100_000);
    for (let pieces = 2; pieces <= 5; pieces++) {
      await more.click();
      await until(shown).toBe(Math.min(text.length, pieces * 100_000));
    }
    expect(await more.count()).toBe(0);
    expect(
      await page.evaluate(() => document.querySelectorAll("*").length),
    ).toBeLessThan(2_000);
  });

  test("the place of a syntax error is marked", async () => {
    const { detail } = await showOnly({
      exchange: sample(),
      views: {
        response: {
          kind: "json",
          text: '{\n  "a": 1,\n  oops\n}',
          error: {
            message: "A name in quotes was expected.",
            line: 3,
            column: 3,
          },
        },
      },
    });
    await detail
      .getByText("Line 3, column 3: A name in quotes was expected.")
      .waitFor();
    expect(await detail.locator(".mistake mark").innerText()).toBe("o");
  });

  test("forms, parts, XML, text and bytes each have their view", async () => {
    const { client, page, detail } = await showOnly({
      exchange: withBody(),
      views: {
        request: {
          kind: "form",
          fields: [{ name: "card", value: "4242 4242" }],
        },
        response: {
          kind: "multipart",
          parts: [
            {
              headers: [["Content-Type", "text/plain"]],
              name: "note",
              bytes: 5,
              text: "hello",
            },
            {
              headers: [],
              name: "file",
              filename: "a.bin",
              type: "application/x-thing",
              bytes: 3,
              base64: "AAEC",
            },
          ],
        },
      },
    });
    await detail.getByRole("rowheader", { name: "card" }).waitFor();
    await detail.getByText("4242 4242").waitFor();
    await detail.getByText("a.bin").waitFor();
    await detail.getByText("000000  00 01 02").waitFor();

    client.add({
      exchange: withBody({ target: "/next" }),
      views: {
        request: { kind: "xml", text: "<a>\n  <b/>\n</a>" },
        response: { kind: "hex" },
      },
      bodies: { response: Buffer.from([0xde, 0xad]) },
    });
    await rowWith(page, "/next").click();
    await detail.getByText("<b/>").waitFor();
    await detail.getByText("de ad").waitFor();
  });

  test("a picture of a safe kind is shown as one; SVG never is", async () => {
    const { client, page, detail } = await showOnly({
      exchange: sample(),
      views: { response: { kind: "image", type: "image/png" } },
      bodies: { response: PNG },
    });
    await until(() =>
      detail
        .getByRole("img", { name: "Body of the response" })
        .evaluate((image) => (image as HTMLImageElement).naturalWidth),
    ).toBe(1);
    await detail.getByText("image/png 1 × 1").waitFor();

    client.add({
      exchange: sample({ target: "/svg" }),
      views: { response: { kind: "image", type: "image/svg+xml" } },
      bodies: {
        response: Buffer.from(
          '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>',
        ),
      },
    });
    await rowWith(page, "/svg").click();
    await detail.getByLabel("Bytes in hexadecimal").waitFor();
    expect(await detail.getByRole("img").count()).toBe(0);
  });

  test("what was decoded, and what went wrong with it, is said", async () => {
    const { detail } = await showOnly({
      exchange: sample(),
      views: {
        response: {
          kind: "text",
          text: "abc",
          decoded: ["gzip", "br"],
          note: "The end is missing.",
          bytes: 3_000,
        },
      },
    });
    await detail.getByText("gzip, br undone: 3.0 kB").waitFor();
    await detail.getByText("The end is missing.").waitFor();
  });
});

test("WebSocket messages come as a timeline that grows", async () => {
  const exchange = sample({
    kind: "websocket",
    status: 101,
    state: "open",
    messages: 2,
  });
  const message = (index: number, changes: object = {}) => ({
    index,
    direction: "in" as const,
    atMs: 10 * index,
    type: "text" as const,
    bytes: 5,
    keptBytes: 5,
    data: `m${index}`,
    encoding: "utf8" as const,
    ...changes,
  });
  const one: FakeExchange = {
    exchange,
    messages: [
      message(0),
      message(1, {
        direction: "out",
        type: "binary",
        encoding: "base64",
        data: "AAEC",
        compressed: true,
        frames: 3,
      }),
    ],
  };
  const { client, detail } = await showOnly(one);
  const timeline = detail.getByRole("region", { name: "Messages" });
  await timeline.getByText("m0").waitFor();
  await timeline.getByText("binary · deflate · 3 frames").waitFor();
  one.messages!.push(
    message(2, { type: "close", closeCode: 1_001, data: "bye" }),
  );
  client.add({
    ...one,
    exchange: { ...exchange, messages: 3, state: "complete" },
  });
  await timeline.getByText("close · 1001").waitFor();
  expect(await timeline.getByRole("listitem").count()).toBe(3);

  // A client keeps the first ones alone.
  client.add({
    ...one,
    exchange: { ...exchange, messages: 2_000, state: "complete" },
  });
  await timeline.getByText("The first 3 are kept.").waitFor();
});

describe("replay", () => {
  test("r sends it as it was, shows the new exchange, and what differs", async () => {
    const original = sample({ method: "POST", target: "/order", status: 500 });
    const { client, page, detail } = await showOnly({ exchange: original });
    const replay = sample({
      method: "POST",
      target: "/order",
      status: 200,
      replayOf: original.id,
    });
    client.replayAnswer = {
      results: [{ id: replay.id, status: 200, sameClass: false }],
    };
    client.comparison = {
      status: { left: 500, right: 200 },
      headers: [
        {
          path: "content-type",
          kind: "changed",
          left: "text/plain",
          right: "application/json",
        },
      ],
      body: {
        kind: "json",
        changes: [{ path: "/ok", kind: "added", right: "true" }],
      },
    };
    await detail.getByRole("button", { name: "Replay", exact: true }).waitFor();
    client.exchanges.set(replay.id, { exchange: replay });
    await page.keyboard.press("r");
    const compared = detail.getByRole("region", {
      name: "Compared with the original",
    });
    await compared.getByText("500 → 200").waitFor();
    expect(await compared.innerText()).toMatch(
      /content-type[^]*text\/plain[^]*application\/json/,
    );
    expect(await compared.innerText()).toMatch(/\/ok[^]*true/);
    expect(
      client.seen.filter(({ request }) => request.startsWith("POST")),
    ).toEqual([
      { request: `POST /api/v1/exchanges/${original.id}/replay`, json: {} },
    ]);
    await detail.getByRole("button", { name: "the original" }).click();
    await until(() =>
      detail.getByRole("heading", { level: 2 }).innerText(),
    ).toContain("500");
  });

  test("from the list alone shows what went wrong, and a key that is held down is one wish", async () => {
    const client = await startFakeClient();
    const exchange = sample();
    client.add({ exchange });
    client.failures.set(`POST /api/v1/exchanges/${exchange.id}/replay`, {
      status: 502,
      error: { code: "upstream-refused", message: "Nothing listens there." },
    });
    const page = await visit(client);
    await rowsOf(page).first().waitFor();
    await page.keyboard.press("j");
    await page.evaluate(() => {
      for (let i = 0; i < 20; i++)
        document.dispatchEvent(new KeyboardEvent("keydown", { key: "r" }));
    });
    await page.getByText("Nothing listens there.").waitFor();
    expect(
      client.seen.filter(({ request }) => request.endsWith("/replay")),
    ).toHaveLength(1);
  });

  test("an edit sends what was edited alone", async () => {
    const original = withBody({ target: "/order" });
    const body = '{"a":1}\r\n{"b":"é"}';
    const { client, page } = await showOnly({
      exchange: {
        ...original,
        request: {
          ...original.request!,
          body: {
            bytes: Buffer.byteLength(body),
            keptBytes: Buffer.byteLength(body),
            framing: "length",
          },
        },
      },
      bodies: { request: Buffer.from(body) },
    });
    client.replayAnswer = {
      results: [{ id: original.id, status: 200, sameClass: true }],
    };
    await page.keyboard.press("e");
    const dialog = page.getByRole("dialog", { name: "Edit and replay" });
    await dialog.getByText("Nothing is edited").waitFor();
    await dialog.getByLabel("Path and query").fill("/order?again=1");
    await dialog.getByLabel("Body").fill('{"a":2}\n{"b":"é"}');
    await dialog.getByLabel("To another local service").fill("localhost:9090");
    await dialog.getByRole("button", { name: "Send" }).click();
    await dialog.waitFor({ state: "detached" });
    const sent = client.seen.find(({ request }) => request.endsWith("/replay"));
    expect(sent?.json).toEqual({
      target: "/order?again=1",
      body: Buffer.from('{"a":2}\r\n{"b":"é"}').toString("base64"),
      upstream: "localhost:9090",
    });
  });

  test("an edit is sent once, however often one asks, and takes nobody along who has left", async () => {
    const original = sample({ target: "/here" });
    const { client, page, detail } = await showOnly({ exchange: original });
    const elsewhere = sample({ target: "/elsewhere", replayOf: original.id });
    client.exchanges.set(elsewhere.id, { exchange: elsewhere });
    client.replayAnswer = {
      results: [{ id: elsewhere.id, status: 200, sameClass: true }],
    };
    let answer!: () => void;
    const asked = new Promise<void>((resolve) => (answer = resolve));
    await page.route("**/replay", async (route) => {
      await asked;
      await route.continue();
    });
    await page.keyboard.press("e");
    const dialog = page.getByRole("dialog");
    const path = dialog.getByLabel("Path and query");
    await path.press("Control+Enter");
    await path.press("Control+Enter");
    await dialog.getByRole("button", { name: "Sending…" }).waitFor();
    await page.keyboard.press("Escape");
    await dialog.waitFor({ state: "detached" });
    const answered = page.waitForResponse("**/replay");
    answer();
    await (await answered).finished();
    await page.keyboard.press("?");
    await dialog.waitFor();
    expect(await detail.locator("h2").innerText()).toContain("/here");
    expect(
      client.seen.filter(({ request }) => request.endsWith("/replay")),
    ).toHaveLength(1);
  });

  test("many times gives a table, each with its exchange", async () => {
    const original = sample();
    const { client, page } = await showOnly({ exchange: original });
    client.replayAnswer = {
      results: [
        { id: original.id, status: 200, sameClass: true },
        {
          id: "",
          sameClass: false,
          error: {
            code: "upstream-refused",
            message: "Nothing listens there.",
          },
        },
      ],
    };
    await page.keyboard.press("e");
    const dialog = page.getByRole("dialog");
    await dialog.getByLabel("Times").fill("2");
    await dialog.getByRole("button", { name: "Send" }).click();
    await dialog
      .getByText("Sent 2 times: 1 not in the class of the original.")
      .waitFor();
    await dialog.getByText("Nothing listens there.").waitFor();
    expect(
      client.seen.find(({ request }) => request.endsWith("/replay"))?.json,
    ).toEqual({ times: 2 });
  });

  test("without secrets that are gone it is refused with their names, until one agrees", async () => {
    const original = sample({ redacted: ["authorization"] });
    const { client, page } = await showOnly({ exchange: original });
    client.failures.set(`POST /api/v1/exchanges/${original.id}/replay`, {
      status: 409,
      error: {
        code: "secrets-missing",
        message: "The history does not hold authorization.",
        headers: ["authorization"],
      },
    });
    await page.keyboard.press("r");
    await page.getByText("The history does not hold authorization.").waitFor();
    await page.keyboard.press("e");
    const dialog = page.getByRole("dialog");
    await dialog
      .getByLabel("Send it without what is redacted: authorization")
      .check();
    client.failures.clear();
    client.replayAnswer = {
      results: [{ id: original.id, status: 200, sameClass: true }],
    };
    await dialog.getByRole("button", { name: "Send" }).click();
    await dialog.waitFor({ state: "detached" });
    expect(
      client.seen.filter(({ request }) => request.endsWith("/replay")).at(-1)
        ?.json,
    ).toEqual({ withoutSecrets: true });
  });

  test("the last ones that match come back as a table of what changed", async () => {
    const original = sample({ target: "/order" });
    const { client, page } = await showOnly({ exchange: original });
    client.replayManyAnswer = {
      results: [
        {
          original: original.id,
          replay: original.id,
          before: 500,
          after: 200,
          sameClass: false,
          changes: 4,
        },
        {
          original: nextId(),
          before: 200,
          sameClass: false,
          error: { code: "secrets-missing", message: "No cookie." },
        },
      ],
    };
    await page.keyboard.press("m");
    const dialog = page.getByRole("dialog");
    await dialog.getByLabel("Filter").fill("path:/order");
    await dialog.getByLabel("How many").fill("2");
    await dialog.getByRole("button", { name: "Replay", exact: true }).click();
    await dialog
      .getByText("2 replayed: 2 not in the class of before.")
      .waitFor();
    expect(await dialog.getByRole("row").nth(1).innerText()).toMatch(
      /GET \/order\s+500\s+200\s+▲ differs\s+4/,
    );
    expect(
      client.seen.find(({ request }) => request.endsWith("/replays"))?.json,
    ).toEqual({ last: 2, filter: "path:/order" });
  });
});

describe("webhooks", () => {
  test("say what failed, and can be signed again when the secret is known", async () => {
    const original = sample({
      method: "POST",
      webhook: {
        provider: "stripe",
        event: "charge.failed",
        verdict: "failed",
        code: "timestamp-old",
        reason: "The timestamp is 12 minutes old.",
      },
    });
    const { client, page, detail } = await showOnly({ exchange: original });
    const card = detail.getByRole("region", { name: "Webhook" });
    await card.getByText("The timestamp is 12 minutes old.").waitFor();
    const sign = card.getByRole("button", { name: "Sign again and replay" });
    expect(await sign.isDisabled()).toBe(true);
    client.status = { ...client.status, secrets: ["stripe"] };
    client.send("status", client.status);
    client.replayAnswer = {
      results: [{ id: original.id, status: 200, sameClass: true }],
    };
    await until(() => sign.isDisabled()).toBe(false);
    await sign.click();
    await until(() =>
      Promise.resolve(
        client.seen
          .filter(({ request }) => request.endsWith("/replay"))
          .map(({ json }) => json),
      ),
    ).toEqual([{ sign: "stripe" }]);
    expect(await page.getByRole("alert").count()).toBe(1);
  });
});

test("a request is copied as a command, and saved as HAR", async () => {
  const { client, page, detail } = await showOnly(
    { exchange: sample() },
    {
      permissions: ["clipboard-read", "clipboard-write"],
      acceptDownloads: true,
    },
  );
  const menu = detail.getByText("Export");
  await menu.click();
  await page.keyboard.press("Escape");
  expect(await detail.getByRole("button", { name: "HAR file" }).count()).toBe(
    0,
  );
  await menu.click();
  await detail.getByRole("button", { name: "Copy as HTTPie" }).click();
  await until(() => page.evaluate(() => navigator.clipboard.readText())).toBe(
    client.exported,
  );
  expect(client.seen.at(-1)?.request).toMatch(/\/export\?as=httpie$/);
  await menu.click();
  const [saved] = await Promise.all([
    page.waitForEvent("download"),
    detail.getByRole("button", { name: "HAR file" }).click(),
  ]);
  expect(saved.suggestedFilename()).toMatch(/\.har$/);
});
