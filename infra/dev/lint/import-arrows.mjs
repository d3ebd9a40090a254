// Who may import whom: the one table behind the lint rule and the arch test. docs/architecture.md tells the story.
import { posix } from "node:path";

/**
 * Places of each package from top to bottom: folders and files under its src. A place imports what stands below it.
 * Places of one line do not import one another, except for the files of a composition root.
 */
const levels = {
  client: [
    { places: ["cli"] },
    {
      places: [
        "index.ts",
        "expose.ts",
        "open-session.ts",
        "session-tunnel.ts",
        "event-rate.ts",
        "session-inspection.ts",
        "own-inspector.ts",
        "replay-upstream.ts",
        "open-bare.ts",
        "open-local.ts",
        "bare-reach.ts",
        "complete-options.ts",
        "kept-connection.ts",
        "run-remote.ts",
        "resolve-upstream.ts",
      ],
      oneRoot: true,
    },
    { places: ["ssh", "local", "inspect", "config"] },
    {
      places: ["options.ts", "tunnel.ts", "errors.ts", "nearest.ts"],
      oneRoot: true,
    },
  ],
  edge: [
    { places: ["main.ts", "worker.ts", "cli"], oneRoot: true },
    {
      places: ["index.ts", "edge.ts", "parts", "workers", "state.ts"],
      oneRoot: true,
    },
    { places: ["http", "tcp", "control", "ingress", "metrics", "config"] },
    { places: ["policy", "tls", "access-log", "registry", "routes"] },
    { places: ["errors.ts", "refusal.ts", "util"], oneRoot: true },
  ],
  inspector: [
    { places: ["main.tsx"] },
    { places: ["app.tsx"] },
    { places: ["frame"] },
    { places: ["detail", "list", "replay"] },
    { places: ["state"] },
    { places: ["ui"] },
    { places: ["api"] },
    { places: ["format", "style"] },
  ],
};

/** Files whose types are agreed between places; anybody of the package may `import type` from them. */
const seams = {
  client: ["options.ts", "tunnel.ts", "errors.ts"],
  edge: [
    "ingress/forward.ts",
    "ingress/handlers.ts",
    "ingress/ingress.ts",
    "routes/tunnel.ts",
    "access-log/record.ts",
    "registry/identity.ts",
  ],
  inspector: [],
};

/** The only places where each heavy dependency may be imported, and why it is kept there. */
const doors = {
  ssh2: {
    at: ["client/src/ssh", "edge/src/ingress"],
    why: "all else knows of SSH only Forward.connect() and Session",
  },
  "ssh-config": { at: ["client/src/ssh"], why: "one reader of ~/.ssh/config" },
  "http-proxy": {
    at: ["edge/src/http/upgrade.ts"],
    why: "it may carry WebSocket upgrades behind the guard, and nothing else (docs/decisions/0001-hybrid-http-engine.md)",
  },
  undici: {
    at: ["client/src/inspect/tap/llhttp.ts"],
    why: "the inspector borrows its llhttp (docs/decisions/0008-capture.md); upstreams are spoken to by edge/src/http (docs/decisions/0001-hybrid-http-engine.md)",
  },
  "node-sqlite3-wasm": {
    at: ["client/src/inspect/store/disk"],
    why: "it is opened in turns with other processes, off the main thread (docs/decisions/0008-capture.md)",
  },
  commander: {
    at: ["client/src/cli", "edge/src/main.ts", "edge/src/cli"],
    why: "inside, options are complete and typed",
  },
  uqr: { at: ["client/src/cli/output"], why: "only terminals show QR codes" },
  diff: {
    at: ["client/src/inspect/diff"],
    why: "comparisons have their bounds of time and size there",
  },
  fzstd: {
    at: ["client/src/inspect/decode"],
    why: "it stands in for node:zlib before Node 22.15, within bounds",
  },
  mrmime: { at: ["client/src/local"], why: "one way to serve a folder" },
  yaml: {
    at: ["client/src/config", "edge/src/config"],
    why: "files are read once, at the edge of the program",
  },
  "@valibot/to-json-schema": {
    at: ["edge/src/config"],
    why: "the JSON schema is derived from the configuration's own schema",
  },
  preact: {
    at: ["inspector/src"],
    why: "pages are the inspector's",
  },
  nanoid: { at: ["edge/src/routes"], why: "names are made in one place" },
};

/** What protocol must do without: it is used on both ends and has to stay free of sockets, files and clocks. */
const PROTOCOL_BANS =
  /^node:(net|tls|https?|http2|dgram|dns|fs|child_process|timers|worker_threads|os|process)(\/|$)/;

/**
 * Says why a file must not import something.
 *
 * @param {string} file path of the importing file, relative to the root, with `/`
 * @param {string} specifier what stands between the quotes
 * @param {boolean} typeOnly whether nothing of it is left when types are stripped
 * @returns {string | undefined} reason and the place to use instead; undefined when the import is fine
 */
export function explainImport(file, specifier, typeOnly) {
  const from = locate(file);
  const to = locate(resolve(file, specifier));
  if (!from) return to ? explainFromOutside(file, specifier) : undefined;
  if (to && to.package !== from.package)
    return explainPackage(from.package, to.package, specifier);
  // A test beside the sources speaks SSH and HTTP to them from outside, with whatever it takes.
  if (file.endsWith(".test.ts")) return undefined;
  if (from.package === "protocol")
    return PROTOCOL_BANS.test(specifier) && !typeOnly
      ? "protocol is what both ends agree on, free of sockets, files and clocks: put what does things into client or edge."
      : undefined;
  return to
    ? explainPlace(from, to, typeOnly)
    : explainDoor(file, packageName(specifier));
}

function explainFromOutside(file, specifier) {
  if (specifier.startsWith("@expose/") || file.startsWith("test/arch/"))
    return undefined;
  return "Only a package's own files look behind its entry point: import @expose/client, @expose/edge or @expose/protocol.";
}

function explainPackage(from, to, specifier) {
  if (from === "protocol")
    return `protocol imports neither client, edge nor inspector (client -> protocol <- edge).`;
  if (to !== "protocol")
    return "client, edge and inspector never import one another: what they need in common belongs into packages/protocol.";
  return specifier.startsWith("@expose/")
    ? undefined
    : "Import protocol by its name, @expose/protocol.";
}

function explainPlace(from, to, typeOnly) {
  const name = from.package;
  const fromLevel = levelOf(name, from.place);
  const toLevel = levelOf(name, to.place);
  if (fromLevel < 0 || toLevel < 0)
    return `packages/${name}/src/${fromLevel < 0 ? from.place : to.place} has no place in the architecture: give it one in infra/dev/lint/import-arrows.mjs.`;
  if (from.place === to.place || fromLevel < toLevel) return undefined;
  if (fromLevel === toLevel && levels[name][fromLevel].oneRoot)
    return undefined;
  if (typeOnly && seams[name].includes(to.path)) return undefined;
  return `${from.place} must not import ${to.place}: ${arrow(name)} -> protocol, and places of one level stay apart. Take it as a parameter that the composition root hands over; types may come from ${seams[name].join(", ")}.`;
}

function explainDoor(file, dependency) {
  if (!Object.hasOwn(doors, dependency)) return undefined;
  const { at, why } = doors[dependency];
  const places = at.map((place) => `packages/${place}`);
  if (places.some((place) => file === place || file.startsWith(`${place}/`)))
    return undefined;
  return `${dependency} ${places.length > 0 ? `is imported only in ${places.join(" and ")}; use what that exports` : "is not used by the packages"}: ${why}.`;
}

/** @returns {{ package: string, path: string, place: string } | undefined} undefined outside of packages/NAME/src */
function locate(file) {
  const match = /^packages\/([^/]+)\/src\/(.+)$/.exec(file ?? "");
  if (!match) return undefined;
  return { package: match[1], path: match[2], place: match[2].split("/")[0] };
}

function resolve(file, specifier) {
  if (specifier.startsWith("."))
    return posix.join(posix.dirname(file), specifier);
  const own = /^@expose\/([^/]+)(?:\/(.+))?$/.exec(specifier);
  return own ? `packages/${own[1]}/src/${own[2] ?? "index"}.ts` : undefined;
}

const levelOf = (name, place) =>
  levels[name].findIndex(({ places }) => places.includes(place));

const arrow = (name) =>
  levels[name].map(({ places }) => `{${places.join(", ")}}`).join(" -> ");

const packageName = (specifier) =>
  /^(?:@[^/]+\/)?[^/]+/.exec(specifier)?.[0] ?? specifier;
