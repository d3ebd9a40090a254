// A real Chromium, without a window, that tests click and type in.
import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import {
  chromium,
  type Browser,
  type BrowserContext,
  type BrowserContextOptions,
  type Page,
} from "playwright-core";
import { afterAll, expect, onTestFinished } from "vitest";

const NAMES = [
  "chromium",
  "chromium-browser",
  "google-chrome",
  "google-chrome-stable",
];

/** Longer than anything takes on a machine that does much else. */
const PATIENCE_MS = 20_000;
const POLL_MS = 10;

/** Waits until what a function says is as expected; the error prints what it said last. */
export const until = <T>(read: () => Promise<T> | T) =>
  expect.poll(read, { timeout: PATIENCE_MS, interval: POLL_MS });

/**
 * Starts a browser for the tests of a file, when the first one asks for a page.
 *
 * @returns a function that opens a page in a profile of its own, which ends with the test
 */
export function useBrowser(): (
  options?: BrowserContextOptions,
) => Promise<Page> {
  let browser: Promise<Browser> | undefined;
  afterAll(async () => (await browser)?.close());
  return async (options) => {
    browser ??= launch();
    const context: BrowserContext = await (
      await browser
    ).newContext({
      viewport: { width: 1_360, height: 800 },
      reducedMotion: "reduce",
      ...options,
    });
    onTestFinished(() => context.close());
    context.setDefaultTimeout(PATIENCE_MS);
    const page = await context.newPage();
    failOnComplaints(page);
    return page;
  };
}

/** An error that nobody caught, or a break of the Content-Security-Policy, fails the test at its end. */
function failOnComplaints(page: Page): void {
  const complaints: string[] = [];
  page.on("pageerror", (error) => complaints.push(String(error.stack)));
  page.on("console", (message) => {
    if (/Content Security Policy|Trusted ?Type/i.test(message.text()))
      complaints.push(message.text());
  });
  onTestFinished(() => {
    if (complaints.length > 0) throw new Error(complaints.join("\n"));
  });
}

function launch(): Promise<Browser> {
  return chromium.launch({
    executablePath: findChromium(),
    // Root cannot start Chromium's sandbox; all that is opened is what the test itself serves.
    chromiumSandbox: process.getuid?.() !== 0,
    args: ["--disable-dev-shm-usage", "--disable-gpu", "--hide-scrollbars"],
  });
}

/** @throws when there is none: `npm test` installs it on Debian */
function findChromium(): string {
  const folders = (process.env["PATH"] ?? "").split(delimiter);
  const found = NAMES.flatMap((name) =>
    folders.map((folder) => join(folder, name)),
  ).find((path) => existsSync(path));
  if (!found) throw new Error(`There is no ${NAMES.join(", ")} in PATH.`);
  return found;
}
