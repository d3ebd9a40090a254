// Pictures of the inspector's page, for docs/inspector.md: made anew with each run in .cache/inspector, to be looked at and
// copied from there to docs/inspector when the page has changed.
// one ingress only: the client behind the page is a stand-in that can be told what to say
import { mkdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import type { BrowserContextOptions, Page } from "playwright-core";
import { expect, test } from "vitest";
import { useBrowser } from "../../harness/inspector/browser.ts";
import { startFakeClient } from "../../harness/inspector/fake-client.ts";
import { showcase } from "../../harness/inspector/showcase.ts";

const openPage = useBrowser();
const ROOT = join(import.meta.dirname, "../../..");
/** Pages of the documentation are read over slow lines too. */
const MOST_BYTES = 200_000;

const open = (text: string) => async (page: Page) => {
  await page
    .locator(".list-canvas .row")
    .filter({ hasText: text })
    .first()
    .click();
  await page
    .getByRole("region", { name: "Details of the request" })
    .locator("h3")
    .nth(1)
    .waitFor();
};

const pictures: readonly (readonly [
  name: string,
  options: BrowserContextOptions,
  reach: (page: Page) => Promise<void>,
])[] = [
  ["list", {}, async () => {}],
  [
    "webhook",
    {},
    async (page) => {
      await open("/hooks/stripe")(page);
      await page.locator(".json-key").first().waitFor();
    },
  ],
  [
    "replay",
    { colorScheme: "dark" },
    async (page) => {
      await open("replay")(page);
      await page.getByText("500 → 200").waitFor();
      await page.locator(".json-key").first().waitFor();
    },
  ],
  [
    "websocket",
    { colorScheme: "dark" },
    async (page) => {
      await open("/live")(page);
      await page.getByText("close · 1000").waitFor();
    },
  ],
  [
    "edit",
    {},
    async (page) => {
      await open("/hooks/stripe")(page);
      await page.keyboard.press("e");
      await page.getByLabel("Path and query").waitFor();
    },
  ],
  [
    "replay-many",
    { viewport: { width: 360, height: 740 }, deviceScaleFactor: 2 },
    async (page) => {
      await page.keyboard.press("m");
      const dialog = page.getByRole("dialog");
      await dialog.getByRole("button", { name: "Replay", exact: true }).click();
      await dialog.getByText("6 replayed: 1 not in").waitFor();
      await dialog.getByRole("row").last().scrollIntoViewIfNeeded();
    },
  ],
  [
    "help",
    {},
    async (page) => {
      await page.keyboard.press("?");
      await page.getByRole("dialog").waitFor();
    },
  ],
  [
    "phone",
    {
      viewport: { width: 360, height: 740 },
      deviceScaleFactor: 2,
      colorScheme: "dark",
    },
    async () => {},
  ],
  [
    "phone-details",
    { viewport: { width: 360, height: 740 }, deviceScaleFactor: 2 },
    async (page) => {
      await open("/hooks/stripe")(page);
      await page.locator(".json-key").first().waitFor();
    },
  ],
];

test.each(pictures)(
  "%s has something to see, and fits",
  async (name, options, reach) => {
    const client = await startFakeClient();
    showcase(client, new Date(2026, 0, 5, 9, 41).getTime());
    // All is well in the pictures.
    client.status = {
      ...client.status,
      tunnels: client.status.tunnels.map((tunnel) => ({
        ...tunnel,
        state: "online",
        latencyMs: 21,
      })),
      store: {
        file: "history.sqlite",
        exchanges: 32,
        bytes: 1_240_000,
        missed: 0,
      },
    };
    const originals = [...client.exchanges.values()].slice(-6);
    client.replayManyAnswer = {
      results: originals.map(({ exchange: { id, status } }, index) => ({
        original: id,
        replay: id,
        ...(status !== undefined && { before: status }),
        after: 200,
        sameClass: index !== 4,
        changes: index,
      })),
    };
    const page = await openPage({
      viewport: { width: 1_360, height: 850 },
      ...options,
    });
    await page.clock.setFixedTime(new Date(2026, 0, 5, 9, 42));
    await page.goto(client.url);
    await page.locator(".list-canvas .row").first().waitFor();
    await reach(page);
    const path = join(ROOT, ".cache/inspector", `${name}.png`);
    mkdirSync(join(path, ".."), { recursive: true });
    await page.screenshot({ path, animations: "disabled", caret: "hide" });
    expect(statSync(path).size).toBeGreaterThan(10_000);
    // Nothing to be scrolled for sideways, at no width.
    const [inner, scroll] = await page.evaluate(() => [
      window.innerWidth,
      document.documentElement.scrollWidth,
    ]);
    expect(scroll).toBe(inner);
  },
);

test("the documentation shows pictures that are small and there", () => {
  const text = readFileSync(join(ROOT, "docs/inspector.md"), "utf8");
  const shown = [...text.matchAll(/\]\((inspector\/[\w-]+\.png)\)/g)].map(
    ([, path]) => path!,
  );
  expect(shown.length).toBeGreaterThanOrEqual(4);
  for (const path of shown)
    expect(statSync(join(ROOT, "docs", path)).size).toBeLessThan(MOST_BYTES);
});
