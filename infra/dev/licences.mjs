// Licence texts of the packages that a bundle holds: their licences ask that the texts travel along.
import { readdirSync, readFileSync } from "node:fs";
import { inRoot } from "./paths.mjs";

/**
 * @param {string[]} inputs source files of a bundle, relative to the root
 * @returns {string} one text with a section a package
 */
export function findLicences(inputs) {
  const folders = new Set(
    inputs.flatMap(
      (input) =>
        /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(input)?.[1] ?? [],
    ),
  );
  return [...folders].sort().map(describe).join("\n");
}

function describe(folder) {
  const { name, version, license } = JSON.parse(
    readFileSync(inRoot(`${folder}/package.json`), "utf8"),
  );
  const file = readdirSync(inRoot(folder)).find((entry) =>
    /^licen[cs]e/i.test(entry),
  );
  if (!license && !file) throw new Error(`${folder} names no licence.`);
  const text = file ? readFileSync(inRoot(`${folder}/${file}`), "utf8") : "";
  return `## ${name} ${version} (${license ?? "see below"})\n\n${text.trim()}\n`;
}
