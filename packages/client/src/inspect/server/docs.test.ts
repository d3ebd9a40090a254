import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { apiErrorCodes } from "./api-error.ts";
import { replayManyOrder, replayOrder } from "./routes/orders.ts";
import { listRoutes } from "./routes/list.ts";
import { createEventStreams } from "./event-stream.ts";
import { createMemoryStore } from "./use-store.ts";

const page = readFileSync(
  join(import.meta.dirname, "../../../../../docs/inspector-api.md"),
  "utf8",
);

/** First cells of the rows, without their backquotes. */
const firstCells = (text: string): string[] =>
  [...text.matchAll(/^\| `([^`|]+)`/gm)].map((match) => match[1]!);

const section = (heading: string): string => {
  const found = page
    .split(/^##+ /m)
    .find((part) => part.startsWith(`${heading}\n`));
  expect(found, heading).toBeDefined();
  return found!;
};

test("the page has every route, and no other", () => {
  const store = createMemoryStore();
  const routes = listRoutes(
    { store, tunnels: () => [] },
    createEventStreams(store, () => ({})),
  ).map(({ method, pattern }) => `${method} ${pattern}`);
  const documented = firstCells(page).filter((cell) => cell.includes(" /"));
  expect(documented.toSorted()).toEqual(routes.toSorted());
});

test("the page has every code with its status, and no other", () => {
  const documented = [
    ...section("Errors").matchAll(/^\| `([a-z-]+)` +\| (\d{3}) /gm),
  ].map(([, code, status]) => [code, Number(status)]);
  expect(Object.fromEntries(documented)).toEqual(apiErrorCodes);
});

test("the page has every field of a replay", () => {
  expect(firstCells(section("Replay")).toSorted()).toEqual(
    Object.keys(replayOrder.entries).toSorted(),
  );
  const sentence =
    /`POST \/api\/v1\/replays` takes ([^]*?), leaves/.exec(page)?.[1] ?? "";
  expect(
    [...sentence.matchAll(/`(\w+)`/g)].map(([, name]) => name).toSorted(),
  ).toEqual(Object.keys(replayManyOrder.entries).toSorted());
});
