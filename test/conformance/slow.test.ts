// Slow visitors, greedy ones, and many at once: the others are served all the same.
// Twelve thousand of them: `npm run soak -- slow`, which also says how long the others wait.
import { afterAll, beforeAll, expect, it } from "vitest";
import { describeIngress, startWorld, type World } from "../harness/worlds.ts";
import { runBurst } from "../soak/burst.ts";
import { runSlow } from "../soak/slow.ts";

describeIngress("good visitors", (ingress) => {
  let world: World;
  beforeAll(async () => {
    world = await startWorld(ingress);
  });
  afterAll(() => world.stop());

  it.each([
    ["heads never end", "headers", "many"],
    ["bodies never end", "body", "many"],
    ["bodies never end, all from one address", "body", "one"],
    ["requests are never answered, all from one address", "hold", "one"],
  ] as const)(
    "of a tunnel and of another are served beside 600 whose %s",
    async (_, kind, from) => {
      const result = await runSlow(world, {
        kind,
        from,
        connections: 600,
        seconds: 0.5,
      });
      // Two good visitors in two phases; how long they wait is for a quiet machine to say.
      for (const { elsewhere, beside } of [result.arriving, result.there])
        for (const visitor of [elsewhere, beside]) {
          expect(visitor.failures).toEqual({});
          expect(visitor.requests).toBeGreaterThan(2);
        }
      // The attack was one.
      expect(result.open).toBeGreaterThan(200);
    },
    60_000,
  );

  it("2,000 at once are all served", async () => {
    const { outcomes } = await runBurst(world, 2_000);
    expect(outcomes).toEqual({ 200: 2_000 });
  }, 60_000);
});
