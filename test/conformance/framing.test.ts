// Every framing with every body, every method and both versions of HTTP: what is ambiguous is refused, and what passes
// means the same to everybody.
import { afterAll, beforeAll, expect, it } from "vitest";
import { describeIngress, startWorld, type World } from "../harness/worlds.ts";
import { attack, attackConfig } from "./attack.ts";
import { allFramings } from "./mutator.ts";
import { startRecorder, type Recorder } from "./recorder.ts";

describeIngress("framing", (ingress) => {
  let world: World;
  let recorder: Recorder;
  beforeAll(async () => {
    world = await startWorld(ingress, { config: attackConfig });
    recorder = await startRecorder();
  });
  afterAll(async () => {
    await recorder.close();
    await world.stop();
  });

  it("has one meaning or none", async () => {
    const tunnel = await world.expose({
      port: recorder.port,
      name: "target",
      watchRequests: false,
    });
    const { statuses, problems } = await attack(
      world,
      "target",
      recorder,
      allFramings(new URL(tunnel.url).host),
    );
    await tunnel.close();
    expect(problems).toEqual([]);
    expect(statuses.get(200)).toBeGreaterThan(100);
    expect(statuses.get(400)).toBeGreaterThan(100);
  }, 300_000);
});
