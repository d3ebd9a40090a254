// Whether people who see little, or nothing, can use the inspector's page: axe-core finds no fault with any of its states.
// one ingress only: the client behind the page is a stand-in that can be told what to say
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import type { AxeResults } from "axe-core";
import type { BrowserContextOptions, Page } from "playwright-core";
import { describe, expect, test } from "vitest";
import { useBrowser } from "../../harness/inspector/browser.ts";
import {
  startFakeClient,
  type FakeClient,
} from "../../harness/inspector/fake-client.ts";
import { showcase } from "../../harness/inspector/showcase.ts";

const openPage = useBrowser();
const AXE = readFileSync(
  createRequire(import.meta.url).resolve("axe-core/axe.min.js"),
  "utf8",
);

const looks = [
  { name: "light", options: {} },
  // Colours are all that differs.
  {
    name: "dark",
    options: { colorScheme: "dark" },
    rules: ["color-contrast", "link-in-text-block"],
  },
  {
    name: "light at phone width",
    options: { viewport: { width: 360, height: 740 } },
  },
] as const satisfies readonly {
  name: string;
  options: BrowserContextOptions;
  rules?: readonly string[];
}[];

const row = (page: Page, text: string) =>
  page.locator(".list-canvas .row").filter({ hasText: text }).first();

/** What a person does to get into each state. */
const states: Record<
  string,
  (page: Page, client: FakeClient) => Promise<void>
> = {
  "the list": async () => {},
  "a webhook": async (page) => {
    await row(page, "/hooks/stripe").click();
    await page.locator(".json-key").first().waitFor();
  },
  "a conversation": async (page) => {
    await row(page, "/live").click();
    await page
      .getByRole("region", { name: "Messages" })
      .getByRole("listitem")
      .first()
      .waitFor();
  },
  "a replay with its differences": async (page) => {
    await row(page, "replay").click();
    await page.getByText("500 → 200").waitFor();
  },
  "a form and parts": async (page) => {
    await row(page, "/upload").click();
    await page.getByText("report.csv").waitFor();
  },
  "the editor": async (page) => {
    await row(page, "/hooks/stripe").click();
    await page.getByRole("button", { name: "Edit" }).click();
    await page.getByLabel("Path and query").waitFor();
  },
  "many replays": async (page) => {
    await page.keyboard.press("m");
    await page
      .getByRole("dialog")
      .getByRole("button", { name: "Replay", exact: true })
      .click();
    await page.getByText("What changed").waitFor();
  },
  "the help": async (page) => {
    await page.keyboard.press("?");
    await page.getByRole("dialog").waitFor();
  },
  "a mistake in the filter": async (page, client) => {
    client.filter = () => ({
      code: "filter-invalid",
      message: "No such key.",
      position: 2,
    });
    await page.getByRole("textbox", { name: "Filter" }).fill("ab:c");
    await page.getByText("At character 3").waitFor();
    await page.getByRole("button", { name: "Syntax" }).click();
  },
  "nothing yet": async (page, client) => {
    client.exchanges.clear();
    client.send("cleared", {});
    await page.getByText("No requests yet").waitFor();
  },
  errors: async (page, client) => {
    const { id } = [...client.exchanges.values()].at(-1)!.exchange;
    client.failures.set(`GET /api/v1/exchanges/${id}`, {
      status: 500,
      error: { code: "store-broken", message: "The history cannot be read." },
    });
    await page.locator(".list-canvas .row").first().click();
    await page.getByText("Could not load the details.").waitFor();
  },
  "the client gone": async (page, client) => {
    await client.close();
    await page.getByText("The client does not answer. Trying again…").waitFor();
  },
};

describe.each(looks)("in $name", ({ options, ...look }) => {
  test("no state of the page has a fault", async () => {
    const faults: Record<string, string[]> = {};
    for (const [state, reach] of Object.entries(states)) {
      const client = await startFakeClient();
      showcase(client);
      // axe is put in from outside, which the page's own policy would forbid.
      const page = await openPage({ ...options, bypassCSP: true });
      await page.goto(client.url);
      await page.locator(".list-canvas .row").first().waitFor();
      await reach(page, client);
      const found = await findFaults(
        page,
        "rules" in look ? look.rules : undefined,
      );
      if (found.length > 0) faults[state] = found;
      await page.context().close();
    }
    expect(faults).toEqual({});
  });
});

test("a fault would be found", async () => {
  const client = await startFakeClient();
  const page = await openPage({ bypassCSP: true });
  await page.goto(client.url);
  await page.evaluate(() => {
    document.body.append(document.createElement("button"));
  });
  expect(await findFaults(page)).toEqual([
    expect.stringContaining("button-name"),
  ]);
});

/** A line for each fault: rule, what it asks for, and where. */
async function findFaults(
  page: Page,
  rules?: readonly string[],
): Promise<string[]> {
  await page.evaluate(AXE);
  const { violations } = await page.evaluate(
    (runOnly) =>
      (
        window as unknown as {
          axe: { run(options: object): Promise<AxeResults> };
        }
      ).axe.run({
        // What passed is of no interest, and takes long to be put into words.
        resultTypes: ["violations"],
        ...(runOnly && { runOnly }),
      }),
    rules,
  );
  return violations.map(
    ({ id, help, nodes }) =>
      `${id}: ${help}: ${nodes.map(({ html, failureSummary }) => `${html} ${failureSummary}`).join("\n")}`,
  );
}
