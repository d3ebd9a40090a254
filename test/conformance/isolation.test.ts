// Tenants under kills, resets and aborts: nobody ever gets what belongs to somebody else.
// A thousand tunnels and a hundred thousand requests: `npm run soak -- isolation`.
import { afterAll, beforeAll, expect, it } from "vitest";
import { describeIngress, startWorld, type World } from "../harness/worlds.ts";
import { isolationConfig, runIsolation } from "../soak/isolation.ts";

describeIngress("tenants", (ingress) => {
  let world: World;
  beforeAll(async () => {
    world = await startWorld(ingress, { config: isolationConfig });
  });
  afterAll(() => world.stop());

  it("get answers of their own upstream only, whatever breaks", async () => {
    const result = await runIsolation(world, {
      seed: 1,
      tunnels: 100,
      requests: 5_000,
      clients: 4,
      sessionsPerClient: 3,
      misfortuneEvery: 400,
    });
    expect(result.problems).toEqual([]);
    // Or nothing would have been shown.
    expect(result.answered).toBeGreaterThan(2_500);
    expect(result.kills).toBeGreaterThan(2);
    expect(result.resets).toBeGreaterThan(2);
  }, 180_000);
});
