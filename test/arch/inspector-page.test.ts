// What keeps the inspector's page safe and small: captured content becomes text, never markup or code.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { beforeAll, describe, expect, test } from "vitest";
import { build } from "../../infra/dev/build.mjs";
import { listSources, readSource, ROOT } from "./sources.ts";

/** Ways by which text becomes markup, code or an address that is gone to. */
const FORBIDDEN =
  /\b(innerHTML|outerHTML|insertAdjacentHTML|dangerouslySetInnerHTML|setHTML\w*|srcdoc|DOMParser|createContextualFragment|document\.write\w*|eval|execScript|Function\s*\(|importScripts|javascript:|location\.(assign|replace|href)|window\.open|style\.cssText|setAttribute)\b|<style|<script|<iframe|<object|<embed/;

const code = (text: string): string =>
  text.replace(/^\s*\/\/.*$|^\s*\/?\*.*$/gm, "");

const findForbidden = (text: string): string | undefined =>
  FORBIDDEN.exec(code(text))?.[0];

test("no source of the page makes markup or code of text", () => {
  const wrong = listSources(["packages/inspector/src"])
    .filter((file) => !file.endsWith(".test.ts"))
    .flatMap((file) => {
      const found = findForbidden(readSource(file));
      return found === undefined ? [] : [`${file}: ${found}`];
    });
  expect(wrong).toEqual([]);
});

test.each([
  "element.innerHTML = text",
  "<p dangerouslySetInnerHTML={{ __html: text }} />",
  "eval(text)",
  "new Function(text)",
  "window.open(text)",
  'element.setAttribute("href", text)',
])("a source that does would be found: %s", (text) => {
  expect(findForbidden(text)).toBeDefined();
});

describe("what is built", () => {
  const folder = join(ROOT, "packages/client/dist/inspector");
  beforeAll(() => build(), 60_000);

  test("takes everything from its own server, and holds nothing inline", () => {
    const html = readFileSync(join(folder, "index.html"), "utf8");
    const addresses = [...html.matchAll(/\b(?:src|href)="([^"]*)"/g)].map(
      ([, address]) => address!,
    );
    expect(addresses.length).toBeGreaterThanOrEqual(3);
    expect(
      addresses.filter((address) => !address.startsWith("/assets/")),
    ).toEqual([]);
    expect(html).not.toMatch(
      /<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=/i,
    );
  });

  test("is smaller than 100 KiB when it is packed", () => {
    const files = readdirSync(folder, {
      recursive: true,
      withFileTypes: true,
    }).filter((entry) => entry.isFile());
    const bytes = files.map(
      (file) => gzipSync(readFileSync(join(file.parentPath, file.name))).length,
    );
    expect(bytes.reduce((sum, each) => sum + each, 0)).toBeLessThan(100 * 1024);
  });

  test("is shipped with the licences of what it holds", () => {
    expect(readFileSync(`${folder}.licences.txt`, "utf8")).toContain(
      "## preact",
    );
  });
});
