// Whatever a visitor or a service sends stays text on the inspector's page. Each payload stands in each field that holds
// something captured; none may run, become an element, lead elsewhere or ask another server.
// one ingress only: the client behind the page is a stand-in, but for one test, that can be told what to say
import type { Page } from "playwright-core";
import { expect, onTestFinished, test } from "vitest";
import { startExpose, useCliHome } from "../../harness/cli.ts";
import { findInspector } from "../../harness/inspector.ts";
import { until, useBrowser } from "../../harness/inspector/browser.ts";
import {
  startFakeClient,
  type FakeClient,
} from "../../harness/inspector/fake-client.ts";
import {
  hostileExchanges,
  hostileStatus,
} from "../../harness/inspector/hostile.ts";
import { payloads } from "../../harness/inspector/payloads.ts";
import { startUpstream } from "../../harness/upstreams.ts";
import { visit } from "../../harness/visit.ts";
import { startWorld } from "../../harness/worlds.ts";

const openPage = useBrowser();

/** Elements and attributes by which something captured could act, and that the page never makes. */
const FORBIDDEN =
  "script:not([src^='/assets/']), iframe, frame, object, embed, base, link:not([href^='/assets/']), meta[http-equiv], style, form[action], [srcdoc], [onerror], [onload], [onclick], [onfocus], [onmouseover], [ontoggle], [onbegin], marquee, video, audio, math, template, portal, foreignObject, animate, set, use, image";

/** @returns a list that grows with each thing that the page does and should not */
async function watch(page: Page, client: { url: string }): Promise<string[]> {
  const deeds: string[] = [];
  page.on("dialog", (dialog) => {
    deeds.push(`dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  page.on("popup", (popup) => deeds.push(`window: ${popup.url()}`));
  page.on("framenavigated", (frame) => {
    if (frame.url() !== `${client.url}/` && frame.url() !== "about:blank")
      deeds.push(`went to ${frame.url()}`);
  });
  page.on("request", (request) => {
    const url = request.url();
    if (!url.startsWith(`${client.url}/`) && !url.startsWith("blob:"))
      deeds.push(`asked for ${url}`);
    const path = url.slice(client.url.length);
    if (
      url.startsWith(client.url) &&
      !/^\/(api\/v1\/[^<]*|assets\/[\w.-]+|)$/.test(path)
    )
      deeds.push(`asked itself for ${path}`);
  });
  page.on("console", (message) => {
    if (/PWNED/.test(message.text())) deeds.push(`console: ${message.text()}`);
  });
  await page.exposeFunction("pwned", (how: string) =>
    deeds.push(`ran: ${how}`),
  );
  await page.addInitScript(() => {
    const report = (how: string) =>
      (window as unknown as { pwned(how: string): void }).pwned(how);
    // What payloads call, and what they set.
    Object.defineProperty(window, "PWNED", {
      get: () => () => report("call"),
      set() {
        report("set");
      },
    });
    for (const name of ["alert", "confirm", "prompt", "print"])
      Object.defineProperty(window, name, { value: () => report(name) });
    document.addEventListener("securitypolicyviolation", (event) =>
      report(`policy: ${event.violatedDirective} ${event.sample}`),
    );
  });
  return deeds;
}

/** Elements that are there and must not be, by their markup. */
const findForbidden = (page: Page): Promise<string[]> =>
  page.evaluate(
    (selector) => [
      ...[...document.querySelectorAll(selector)].map((element) =>
        element.outerHTML.slice(0, 200),
      ),
      // Event handlers of any name, and addresses that run.
      ...[...document.querySelectorAll("*")].flatMap((element) =>
        [...element.attributes]
          .filter(
            ({ name, value }) =>
              /^on/i.test(name) ||
              (/^(href|src|action|formaction|data|xlink:href)$/i.test(name) &&
                !/^(\/assets\/|blob:|http:\/\/hostile\.localhost:\d+\/$)/.test(
                  value,
                )),
          )
          .map(({ name, value }) => `${element.tagName} ${name}=${value}`),
      ),
    ],
    FORBIDDEN,
  );

test("there are sixty payloads, all different", () => {
  expect(new Set(payloads).size).toBe(payloads.length);
  expect(payloads.length).toBeGreaterThanOrEqual(60);
});

const CHUNK = 8;
const chunks = Array.from(
  { length: Math.ceil(payloads.length / CHUNK) },
  (_, at) => ({
    from: at * CHUNK,
    chunk: payloads.slice(at * CHUNK, (at + 1) * CHUNK),
  }),
);

test.each(chunks)(
  "payloads from number $from on stay text in every field",

  async ({ chunk }) => {
    const client = await startFakeClient();
    const exchanges = chunk.flatMap(hostileExchanges);
    for (const one of exchanges) client.exchanges.set(one.exchange.id, one);
    tellHostileThings(
      client,
      chunk,
      exchanges.map(({ exchange: { id } }) => id),
    );
    const page = await openPage();
    const deeds = await watch(page, client);
    await page.goto(client.url);
    await page.locator(".list-canvas .row").first().waitFor();
    const forbidden: string[] = await findForbidden(page);

    // Through all of them, newest first, with the details open.
    for (const { exchange } of exchanges.toReversed()) {
      await page.keyboard.press("j");
      if (exchange === exchanges.at(-1)?.exchange) {
        await page.getByRole("grid").focus();
        await page.keyboard.press("Enter");
      }
      await page.waitForFunction(
        (id) =>
          document.querySelector(".detail")?.textContent?.includes(id) &&
          document.querySelector(".facts") &&
          !document.body.textContent?.includes("Loading…"),
        exchange.id,
      );
      forbidden.push(...(await findForbidden(page)));
    }
    await page.keyboard.press("k");
    await page.keyboard.press("e");
    await page.getByLabel("Path and query").waitFor();
    forbidden.push(...(await findForbidden(page)));
    await page.keyboard.press("Escape");
    await page.getByRole("dialog").waitFor({ state: "detached" });
    await page.keyboard.press("r");
    await page.getByRole("alert").filter({ hasText: "replay it" }).waitFor();
    await page.keyboard.press("m");
    await page
      .getByRole("dialog")
      .getByRole("button", { name: "Replay", exact: true })
      .click();
    await page.getByText("What changed").waitFor();
    forbidden.push(...(await findForbidden(page)));
    await page.keyboard.press("Escape");
    await page.getByRole("textbox", { name: "Filter" }).fill(chunk[0]!);
    await page.getByText("At character 1").waitFor();
    forbidden.push(...(await findForbidden(page)));

    expect({ deeds, forbidden: [...new Set(forbidden)] }).toEqual({
      deeds: [],
      forbidden: [],
    });
    expect(page.url()).toBe(`${client.url}/`);
  },
);

/** All else that the API says. */
function tellHostileThings(
  client: FakeClient,
  chunk: readonly string[],
  ids: readonly string[],
): void {
  const changes = chunk.map((payload) => ({
    path: payload,
    kind: "changed" as const,
    left: payload,
    right: payload,
  }));
  const errors = chunk.map((payload) => ({
    code: payload,
    message: payload,
    headers: [payload],
  }));
  client.status = hostileStatus(chunk);
  client.comparison = {
    status: { left: 200, right: 500 },
    headers: changes,
    body: {
      kind: "text",
      lines: chunk.map((text) => ({ kind: "added", text })),
    },
  };
  client.replayAnswer = {
    results: [{ id: "", sameClass: false, error: errors[0]! }],
  };
  client.replayManyAnswer = {
    results: errors.map((error, index) => ({
      original: ids[index]!,
      sameClass: false,
      error,
    })),
  };
  client.filter = (text) => ({
    code: "filter-invalid",
    message: text,
    position: 0,
  });
}

const TYPES = [
  "application/json",
  "text/html",
  "application/xml",
  "application/x-www-form-urlencoded",
  "image/svg+xml",
  "multipart/form-data; boundary=b",
  "text/event-stream",
];

test("what really passed a tunnel stays text", async () => {
  const world = await startWorld("embedded");
  onTestFinished(() => world.stop());
  const upstream = await startUpstream((request, response) => {
    response.writeHead(200, "Fine", {
      "content-type": request.headers["content-type"],
      "x-payload": request.headers["x-payload"],
    });
    request.pipe(response);
  });
  const { home, env } = useCliHome();
  const expose = startExpose(
    [
      ...[String(upstream.port), "-s", "hostile", "--server", world.server],
      ...["--identity", world.identity("alice"), "--accept-new-host-key"],
      ...["--inspect-port", "0"],
    ],
    env,
  );
  const inspector = await findInspector(expose, home);
  const targets: string[] = [];
  for (const [index, payload] of payloads.entries()) {
    const type = TYPES[index % TYPES.length]!;
    const target = `/${index}?${encodeURI(payload)}`;
    targets.push(target);
    const answer = await visit(world.urlOf("hostile"), target, {
      method: "POST",
      headers: {
        "content-type": type,
        // What a header can hold of it (RFC 9110 section 5.5).
        "x-payload": payload.replace(/[^\x20-\x7e]/g, "").trim(),
      },
      body: wrap(type, payload),
    });
    expect(answer.status).toBe(200);
  }

  const page = await openPage();
  const deeds = await watch(page, { url: inspector.url });
  await page.goto(inspector.url);
  const grid = page.getByRole("grid");
  await until(() => grid.getAttribute("aria-rowcount")).toBe(
    String(payloads.length + 1),
  );
  const forbidden: string[] = [];
  await grid.focus();
  await page.keyboard.press("j");
  await page.keyboard.press("Enter");
  for (const target of targets.toReversed()) {
    await page.waitForFunction(
      (text) =>
        document.querySelector(".detail-title .target")?.textContent === text &&
        document.querySelector(".facts") &&
        !document.body.textContent?.includes("Loading…"),
      target,
    );
    forbidden.push(...(await findForbidden(page)));
    await page.keyboard.press("j");
  }
  expect({ deeds, forbidden: [...new Set(forbidden)] }).toEqual({
    deeds: [],
    forbidden: [],
  });
});

/** A body of a type that holds the payload. */
function wrap(type: string, payload: string): string {
  switch (type.split(";")[0]) {
    case "application/json":
      return JSON.stringify({ [payload]: [payload] });
    case "application/xml":
    case "image/svg+xml":
      return `<svg xmlns="http://www.w3.org/2000/svg">${payload}</svg>`;
    case "application/x-www-form-urlencoded":
      return new URLSearchParams([[payload, payload]]).toString();
    case "multipart/form-data":
      return `--b\r\nContent-Disposition: form-data; name="${payload}"\r\n\r\n${payload}\r\n--b--\r\n`;
    case "text/event-stream":
      return `event: ${payload}\ndata: ${payload}\n\n`;
    default:
      return payload;
  }
}

test("a deed would be seen", async () => {
  const client = await startFakeClient();
  client.contentSecurityPolicy =
    "default-src * 'unsafe-inline' 'unsafe-eval' data:";
  const page = await openPage();
  const deeds = await watch(page, client);
  await page.goto(client.url);
  await page.evaluate(() => {
    document.body.insertAdjacentHTML(
      "beforeend",
      "<img src=x onerror=PWNED()>",
    );
  });
  await until(() => deeds).toContain("ran: call");
  expect(await findForbidden(page)).toEqual(
    expect.arrayContaining([expect.stringContaining("onerror")]),
  );
});
