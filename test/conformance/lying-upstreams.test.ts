// Upstreams that lie about what they say, flood, stall and speak other protocols. Their visitor gets a page that says so,
// or an answer that nobody takes for a whole one; what is wrong with it reaches no next request, and no other visitor.
import {
  afterAll,
  beforeAll,
  describe,
  expect,
  it,
  onTestFinished,
} from "vitest";
import { describeIngress } from "../harness/worlds.ts";
import { delays, lies, type Lie } from "./lies.ts";
import { HEAD_END } from "./phases.ts";
import {
  getOwnAnswer,
  newToken,
  requestsOn,
  startStage,
  told,
  untilAnswered,
  type Scene,
  type Script,
  type Stage,
} from "./stage.ts";
import type { Wire } from "./wire.ts";

const CONFIG = `
limits: { tunnels-per-identity: 1000, connections-per-visitor: 10000 }
timeouts: { first-byte: 1s, response-idle: 1s }
`;

interface Told {
  readonly scene: Scene;
  readonly visitor: Wire;
  readonly up: Wire;
}

describeIngress("an upstream that lies", (ingress) => {
  let stage: Stage;
  beforeAll(async () => {
    stage = await startStage(ingress, CONFIG);
  });
  afterAll(() => stage.stop());

  async function ask(lie: Lie): Promise<Told> {
    const scene = await stage.begin([scriptOf(lie)]);
    const visitor = await scene.visitor();
    visitor.write(
      lie.asked === "POST"
        ? `${scene.head("POST", newToken(), "Content-Length: 10")}12345`
        : scene.head(lie.asked ?? "GET", newToken()),
    );
    return { scene, visitor, up: await scene.upstream.wire(0) };
  }

  async function compare(lie: Lie, { scene, visitor, up }: Told) {
    const { asked = "GET", shows, hides } = lie;
    await Promise.all([untilAnswered(visitor, asked), scene.othersGetTheirs()]);
    expect(told(visitor, asked)).toBe(lie.gets);
    if (shows) expect(visitor.text).toMatch(shows);
    if (hides) expect(visitor.text).not.toMatch(hides);
    if (lie.later !== undefined) {
      up.write(lie.later);
      await up.untilEnded();
    }
    if (asked === "POST") visitor.write("67890");
    if (lie.gets.endsWith("torn")) await visitor.untilEnded();
    else await getOwnAnswer(visitor, scene.host);
    visitor.leave("closes");
    await scene.othersGetTheirs();
    // Its connection has served nobody else.
    if (!lie.good && lie.later === undefined)
      expect(requestsOn(up).length).toBeLessThanOrEqual(1);
  }

  for (const [how, rows] of Object.entries(lies))
    describe(`${how}:`, () => {
      it.each<Lie>(rows)("that $that: its visitor gets $gets", async (lie) => {
        const row = await ask(lie);
        onTestFinished(() => row.scene.end());
        await compare(lie, row);
        await row.scene.untilCalm(lie.good ? [row.up] : []);
      });
    });

  describe("for longer than it may", () => {
    let all: Map<Lie, Told>;
    beforeAll(async () => {
      const asked = delays.map(async (lie): Promise<[Lie, Told]> => [
        lie,
        await ask(lie),
      ]);
      all = new Map(await Promise.all(asked));
    });
    afterAll(async () => {
      for (const { scene } of all.values()) await scene.end();
    });

    it.each<Lie>(delays)("that $that: its visitor gets $gets", (lie) =>
      compare(lie, all.get(lie)!),
    );

    it("leaves nothing behind", async () => {
      for (const { scene } of all.values()) await scene.untilCalm();
    });
  });
});

const scriptOf =
  ({ says, leaves }: Lie): Script =>
  async (up) => {
    if (typeof says !== "string") return says(up);
    await up.until(HEAD_END);
    up.write(says);
    if (leaves) up.leave(leaves);
  };
