// The inspector's list with ten thousand exchanges: it stays short in the document and fluid in the hand.
// one ingress only: the client behind the page is a stand-in that can be told what to say
import { expect, test } from "vitest";
import { setImmediate } from "node:timers/promises";
import type { Page } from "playwright-core";
import { until, useBrowser } from "../../harness/inspector/browser.ts";
import { startFakeClient } from "../../harness/inspector/fake-client.ts";
import { sample } from "../../harness/inspector/sample.ts";

const openPage = useBrowser();

const COUNT = 10_000;
/** A screen full of rows, those beyond its ends, and all else of the page. */
const MOST_NODES = 1_500;

/** A page that holds all of them. */
async function openLongList() {
  const client = await startFakeClient();
  const fill = (from: number, to: number): void => {
    for (let i = from; i < to; i++)
      client.exchanges.set(...entry(sample({ target: `/n${i}` })));
  };
  fill(0, COUNT);
  const page = await openPage();
  await page.goto(client.url);
  const grid = page.getByRole("grid");
  await page.locator(".list-canvas .row").first().waitFor();
  // Older ones come when one scrolls down to them.
  await grid.focus();
  await until(async () => {
    await page.keyboard.press("End");
    return grid.getAttribute("aria-rowcount");
  }).toBe(String(COUNT + 1));
  return { client, page, grid };
}

const entry = (exchange: ReturnType<typeof sample>) =>
  [exchange.id, { exchange }] as const;

const countNodes = (page: Page) =>
  page.evaluate(() => document.querySelectorAll("*").length);

test("every one of them is reached, and only those in sight are in the document", async () => {
  const { page, grid } = await openLongList();
  await page.keyboard.press("End");
  const selected = page.locator("[aria-selected=true] .path");
  await until(() => selected.innerText()).toBe("/n0");
  expect(await countNodes(page)).toBeLessThan(MOST_NODES);
  const rowHeight = 30;
  for (const index of [5_000, 2_500, 9_000, 0]) {
    await grid.evaluate(
      (element, top) => (element.scrollTop = top),
      index * rowHeight,
    );
    await page.locator(`.path[title="/n${COUNT - 1 - index}"]`).waitFor();
    expect(await countNodes(page)).toBeLessThan(MOST_NODES);
  }
});

test("scrolling through them draws a frame when it is due", async () => {
  const { grid } = await openLongList();
  const times = await grid.evaluate(
    (element) =>
      new Promise<number[]>((resolve) => {
        const frames: number[] = [];
        let last = performance.now();
        element.scrollTop = 0;
        const step = (now: number): void => {
          frames.push(now - last);
          last = now;
          element.scrollTop += 1_500;
          if (frames.length < 120) requestAnimationFrame(step);
          else resolve(frames);
        };
        requestAnimationFrame(step);
      }),
  );
  const sorted = times.slice(1).sort((a, b) => a - b);
  const median = sorted[Math.floor(sorted.length / 2)]!;
  // Sixty a second are 17 ms apart; other programs of the machine take their share.
  expect(median).toBeLessThan(50);
});

test("what comes in above does not move what is read, and at the top it shows at once", async () => {
  const { client, page, grid } = await openLongList();
  await grid.evaluate((element) => (element.scrollTop = 3_000 * 30));
  const anchor = page.locator(`.path[title="/n${COUNT - 1 - 3_000}"]`);
  await anchor.waitFor();
  const before = await anchor.boundingBox();
  for (let i = 0; i < 200; i++)
    client.add({ exchange: sample({ target: "/new" }) });
  await until(() => grid.getAttribute("aria-rowcount")).toBe(
    String(COUNT + 201),
  );
  expect(await anchor.boundingBox()).toEqual(before);
  await grid.evaluate((element) => (element.scrollTop = 0));
  await page.locator('.path[title="/new"]').first().waitFor();
  client.add({ exchange: sample({ target: "/newest" }) });
  const newest = page.locator('.path[title="/newest"]');
  await newest.waitFor();
  expect(await newest.isVisible()).toBe(true);
});

test("a flood of events is drawn now and then, not each on its own", async () => {
  const { client, page, grid } = await openLongList();
  await page.evaluate(() => {
    const seen = { drawn: 0 };
    Object.assign(window, { seen });
    new MutationObserver(() => seen.drawn++).observe(
      document.querySelector(".footer")!,
      { subtree: true, characterData: true, childList: true },
    );
  });
  const startedAt = performance.now();
  for (let i = 0; i < 2_000; i++) {
    client.add({ exchange: sample() });
    // So that they come one after the other, not in one piece.
    if (i % 5 === 0) await setImmediate();
  }
  await until(() => grid.getAttribute("aria-rowcount")).toBe(
    String(COUNT + 2_001),
  );
  const elapsedMs = performance.now() - startedAt;
  const drawn = await page.evaluate(
    () => (window as unknown as { seen: { drawn: number } }).seen.drawn,
  );
  // Each 80 ms, give and take.
  expect(drawn).toBeLessThan(elapsedMs / 70 + 3);
  expect(drawn).toBeGreaterThan(0);
  expect(await countNodes(page)).toBeLessThan(MOST_NODES);
});
