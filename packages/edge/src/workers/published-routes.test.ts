import { afterEach, beforeEach, expect, it, vi } from "vitest";
import type { Identity } from "../registry/identity.ts";
import { createResumeTokens } from "../routes/resume.ts";
import { createRouteTable } from "../routes/table.ts";
import type { Claim, WireRoute } from "./messages.ts";
import {
  createPublishedRoutes,
  type PublishedRoutes,
} from "./published-routes.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const identity = (id: string): Identity => ({
  id,
  names: undefined,
  maxTunnels: undefined,
  directPorts: [],
});

const claim = (name: string, more: Partial<Claim> = {}): Claim => ({
  t: "claim",
  owner: 1,
  identity: "alice",
  forward: 1,
  port: 40_000,
  name,
  resume: undefined,
  hostHeader: "preserve",
  upstream: "localhost:8080",
  ...more,
});

function useRoutes(): {
  routes: PublishedRoutes;
  published: WireRoute[];
  superseded: [number, number][];
  /** Every worker knows what was published so far. */
  acknowledge(): void;
} {
  const published: WireRoute[] = [];
  const superseded: [number, number][] = [];
  const waiting: (() => void)[] = [];
  const routes = createPublishedRoutes({
    createTable: (onChange) =>
      createRouteTable({
        domains: ["localhost"],
        urlOf: (hostname) => `http://${hostname}`,
        reserved: new Set(),
        mayClaim: () => true,
        resume: createResumeTokens(Buffer.alloc(32)),
        graceMs: 60_000,
        maxTunnelsPerIdentity: 2,
        defaultName: undefined,
        onChange,
      }),
    users: {
      findById: (id) => (id === "gone" ? undefined : identity(id)),
    },
    publish(route) {
      published.push(route);
      return new Promise((resolve) => waiting.push(resolve));
    },
    superseded: (...args) => void superseded.push(args),
  });
  return {
    ...{ routes, published, superseded },
    acknowledge() {
      for (const resolve of waiting.splice(0)) resolve();
    },
  };
}

it("answers a claim when every worker knows the route", async () => {
  const { routes, published, acknowledge } = useRoutes();
  let answer: unknown;
  const claiming = routes.claim(3, claim("shop")).then((got) => (answer = got));
  await vi.advanceTimersByTimeAsync(1_000);
  expect(published).toMatchObject([
    {
      kind: "open",
      tunnel: {
        ...{ id: 1, name: "shop", identity: "alice" },
        via: { kind: "worker", worker: 3, forward: 1, port: 40_000 },
      },
    },
  ]);
  expect(answer).toBeUndefined();
  acknowledge();
  await claiming;
  expect(answer).toEqual({ tunnel: 1, resume: "" });
  expect(routes.workerOf(1)).toBe(3);
  expect(routes.snapshot()).toMatchObject([{ kind: "open" }]);
});

it("refuses what the table refuses, and whose key is gone", async () => {
  const { routes, acknowledge } = useRoutes();
  void routes.claim(1, claim("shop"));
  acknowledge();
  await expect(
    routes.claim(2, claim("shop", { identity: "bob" })),
  ).rejects.toMatchObject({ code: "name-taken" });
  void routes.claim(2, claim("second"));
  await expect(routes.claim(3, claim("third"))).rejects.toMatchObject({
    code: "too-many-tunnels",
  });
  await expect(
    routes.claim(1, claim("other", { identity: "gone" })),
  ).rejects.toMatchObject({ code: "revoked" });
});

it("tells the worker whose session loses a name, unless it is the same session", () => {
  const { routes, superseded } = useRoutes();
  void routes.claim(1, claim("shop"));
  void routes.claim(1, claim("shop", { forward: 2 }));
  expect(superseded).toEqual([]);
  void routes.claim(1, claim("shop", { forward: 3, owner: 2 }));
  void routes.claim(2, claim("shop", { owner: 1 }));
  expect(superseded).toEqual([
    [1, 2],
    [1, 3],
  ]);
});

it("takes word of a tunnel from its own worker alone", () => {
  const { routes, published } = useRoutes();
  void routes.claim(1, claim("shop"));
  routes.close(2, 1, "released");
  routes.tell(2, 1, { watched: true });
  routes.warmed(2, 1);
  expect(published).toHaveLength(1);
  routes.tell(1, 1, { watched: true });
  routes.warmed(1, 1);
  routes.close(1, 1, "released");
  routes.close(1, 1, "released");
  expect(published.slice(1)).toEqual([
    { kind: "news", tunnel: 1, watched: true, upstreamDown: undefined },
    { kind: "warm", tunnel: 1 },
    { kind: "free", name: "shop" },
  ]);
});

it("keeps the names of a worker that has died for their owners", () => {
  const { routes, published } = useRoutes();
  void routes.claim(1, claim("shop"));
  void routes.claim(2, claim("blog"));
  routes.workerGone(1);
  expect(published.at(-1)).toEqual({
    kind: "away",
    name: "shop",
    identity: "alice",
  });
  expect(routes.table.counts).toEqual({ open: 1, away: 1 });
  expect(routes.workerOf(1)).toBeUndefined();
  void routes.claim(2, claim("shop"));
  expect(routes.table.counts).toEqual({ open: 2, away: 0 });
});
