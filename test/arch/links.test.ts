// Links of the documentation lead somewhere.
import { existsSync } from "node:fs";
import { join, posix } from "node:path";
import { expect, test } from "vitest";
import { listSources, readSource, ROOT } from "./sources.ts";

const pages = [
  "README.md",
  "CONTRIBUTING.md",
  ...listSources(["docs", "packages", "infra"], [".md"]),
];

test.each(pages)(
  "every link of %s leads to a file, and to a heading",
  (page) => {
    const broken = findLinks(readSource(page)).filter(
      (link) => !leadsSomewhere(page, link),
    );
    expect(broken).toEqual([]);
  },
);

test("a link that leads nowhere is found", () => {
  const links = findLinks("[a](b.md) [c](README.md#what-it-does) `[d](e)`");
  expect(links).toEqual(["b.md", "README.md#what-it-does"]);
  expect(links.map((link) => leadsSomewhere("README.md", link))).toEqual([
    false,
    true,
  ]);
});

/** Targets of the links within this repository. */
function findLinks(text: string): string[] {
  const prose = text.replace(/^```[^]*?^```/gm, "").replace(/`[^`\n]*`/g, "");
  return [...prose.matchAll(/\]\(([^)\s]+)\)/g)]
    .map((match) => match[1]!)
    .filter((target) => !/^[a-z]+:/.test(target));
}

function leadsSomewhere(page: string, link: string): boolean {
  const [path = "", anchor] = link.split("#");
  const target = path ? posix.join(posix.dirname(page), path) : page;
  if (!existsSync(join(ROOT, target))) return false;
  return anchor === undefined || anchorsOf(readSource(target)).has(anchor);
}

// As GitHub makes them: lower case, punctuation dropped, blanks to hyphens, a number behind repeated ones.
function anchorsOf(text: string): Set<string> {
  const anchors = new Set<string>();
  for (const [, heading = ""] of text.matchAll(/^#{1,6} (.+)$/gm)) {
    const slug = heading
      .toLowerCase()
      .replace(/\[([^\]]*)\]\([^)]*\)/g, "$1")
      .replace(/[^\p{L}\p{N}\s_-]/gu, "")
      .trim()
      .replace(/\s/g, "-");
    let anchor = slug;
    for (let n = 1; anchors.has(anchor); n++) anchor = `${slug}-${n}`;
    anchors.add(anchor);
  }
  return anchors;
}
