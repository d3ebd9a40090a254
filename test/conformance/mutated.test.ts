// A hundred thousand malformed requests, the same ones each time (EXPOSE_MUTATIONS=1000000 for more, EXPOSE_SEED for others):
// none gets two meanings, none is answered to somebody else, none makes the edge hang or die.
import { afterAll, beforeAll, expect, it } from "vitest";
import { describeIngress, startWorld, type World } from "../harness/worlds.ts";
import { attack, attackConfig } from "./attack.ts";
import { mutatedRequest } from "./mutator.ts";
import { startRecorder, type Recorder } from "./recorder.ts";

// Half of them in each world.
const COUNT = Number(process.env["EXPOSE_MUTATIONS"] ?? 100_000) / 2;
const SEED = Number(process.env["EXPOSE_SEED"] ?? 1);

describeIngress("mutated requests", (ingress) => {
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

  it(
    `have one meaning each or none (${COUNT}, seed ${SEED})`,
    async () => {
      const tunnel = await world.expose({
        port: recorder.port,
        name: "target",
        watchRequests: false,
      });
      const { host } = new URL(tunnel.url);
      const { statuses, problems } = await attack(
        world,
        "target",
        recorder,
        requests(host),
      );
      await tunnel.close();
      expect(problems).toEqual([]);
      // The generator still makes both kinds.
      expect(statuses.get(200)).toBeGreaterThan(COUNT / 100);
      expect(statuses.get(400)).toBeGreaterThan(COUNT / 10);
    },
    600_000 + COUNT * 10,
  );

  function* requests(host: string): Generator<Buffer[]> {
    const first = ingress === "openssh" ? COUNT : 0;
    for (let i = 0; i < COUNT; i++) yield mutatedRequest(SEED, first + i, host);
  }
});
