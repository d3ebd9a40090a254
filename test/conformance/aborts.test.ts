// Visitor, upstream and client going away in each phase of a request: the other sides hear of it, soon and as what it is,
// nothing is sent twice that must not be, and the next visitor gets their own answer.
import {
  afterAll,
  beforeAll,
  describe,
  expect,
  it,
  onTestFinished,
} from "vitest";
import { describeIngress } from "../harness/worlds.ts";
import { startCuttable, startDoomed, type Disaster } from "./disasters.ts";
import {
  CHUNKED,
  HEAD_END,
  phases,
  says,
  TEN,
  untilClose,
  waits,
  webSocket,
  type Phase,
} from "./phases.ts";
import {
  getOwnAnswer,
  newToken,
  openScene,
  startRawUpstream,
  startStage,
  told,
  untilAnswered,
  type Scene,
  type Script,
  type Stage,
} from "./stage.ts";
import type { Leaving, Wire } from "./wire.ts";

const CONFIG = `
limits: { tunnels-per-identity: 1000, sessions-per-identity: 100, connections-per-visitor: 10000 }
timeouts: { away-wait: 20s }
`;

interface Played {
  readonly scene: Scene;
  readonly token: string;
  readonly visitor: Wire;
  readonly up: Wire;
}

describeIngress("aborts", (ingress) => {
  let stage: Stage;
  beforeAll(async () => {
    stage = await startStage(ingress, CONFIG);
  });
  afterAll(() => stage.stop());

  async function begin(...scripts: Script[]): Promise<Scene> {
    const scene = await stage.begin(scripts);
    onTestFinished(() => scene.end());
    return scene;
  }

  /** Plays a request up to where somebody is to go. */
  async function reach(scene: Scene, token: string, phase: Phase) {
    const { method, lines = [], body = "", arrived, answered } = phase;
    const visitor = await scene.visitor();
    visitor.write(scene.head(method, token, ...lines) + body);
    const up = await scene.upstream.wire(0);
    if (arrived !== undefined) await up.until(arrived);
    if (answered !== undefined) await visitor.until(answered);
    return { visitor, up };
  }

  describe.each<Leaving>(["resets", "closes", "half-closes"])(
    "a visitor who %s",
    (how) => {
      async function leave(visitor: Wire): Promise<void> {
        visitor.leave(how);
        await visitor.untilClosed();
      }

      it.each([
        ["in the first line", "GET /to"],
        ["in the head", "GET /token HTTP/1.1\r\nHost: a"],
        ["in the head of a POST", "POST /token HTTP/1.1\r\nContent-Le"],
      ])("%s never reaches the upstream", async (_, text) => {
        const scene = await begin();
        const visitor = await scene.visitor();
        visitor.write(text);
        await leave(visitor);
        expect(told(visitor, "GET")).toBe(
          how === "half-closes" ? "400 request-invalid" : "nothing",
        );
        await scene.untilCalm();
        expect(scene.upstream.wires).toHaveLength(0);
        await scene.othersGetTheirs();
      });

      it.each(phases)(
        "$phase ends the upstream's connection",
        async (phase) => {
          const scene = await begin(phase.upstream);
          const token = newToken();
          const { visitor, up } = await reach(scene, token, phase);
          const before = visitor.text;
          await leave(visitor);
          // Nothing that passes for the end of what had begun.
          expect(visitor.text).toBe(before);
          await up.untilEnded();
          await scene.untilCalm();
          expect(scene.upstream.copies(token)).toBe(1);
          await scene.othersGetTheirs();
          await scene.untilCalm();
        },
      );

      it("between two requests leaves the upstream's connection to the next visitor", async () => {
        const scene = await begin(says(`${TEN}helloworld`));
        const visitor = await scene.visitor();
        visitor.write(scene.head("GET", newToken()));
        await visitor.until("helloworld");
        await leave(visitor);
        const up = await scene.upstream.wire(0);
        await scene.untilCalm([up]);
        const next = await scene.visitor();
        await getOwnAnswer(next, scene.host);
        expect(scene.upstream.wires).toHaveLength(1);
      });

      it("with a second request waiting takes it along", async () => {
        const scene = await begin(waits);
        const [first, second] = [newToken(), newToken()];
        const visitor = await scene.visitor();
        visitor.write(scene.head("GET", first) + scene.head("POST", second));
        await (await scene.upstream.wire(0)).until(HEAD_END);
        await leave(visitor);
        await scene.untilCalm();
        await scene.othersGetTheirs();
        expect(scene.upstream.copies(first)).toBe(1);
        expect(scene.upstream.copies(second)).toBe(0);
      });

      it("in a WebSocket ends the upstream's connection", async () => {
        const scene = await begin(webSocket.upstream);
        const { visitor, up } = await reach(scene, newToken(), webSocket);
        visitor.leave(how);
        await up.untilEnded();
        await visitor.untilClosed();
        await scene.untilCalm();
        await scene.othersGetTheirs();
      });
    },
  );

  describe.each<Leaving>(["resets", "closes", "half-closes"])(
    "an upstream that %s",
    (how) => {
      const leaves =
        (before: Script = () => {}): Script =>
        async (up) => {
          await before(up);
          up.leave(how);
        };

      it.each([
        ["GET", "", ""],
        ["POST", "Content-Length: 1", "x"],
      ])(
        "as soon as it is connected to is told as down, to a %s",
        async (method, line, body) => {
          const scene = await begin(...Array(50).fill(leaves()));
          const visitor = await scene.visitor();
          const token = newToken();
          visitor.write(
            scene.head(method, token, ...(line ? [line] : [])) + body,
          );
          await untilAnswered(visitor, method);
          expect(told(visitor, method)).toBe("502 upstream-down");
          if (method === "POST")
            expect(scene.upstream.copies(token)).toBeLessThanOrEqual(1);
          visitor.leave("closes");
          await scene.untilCalm();
        },
      );

      it.each(phases)("$phase is told as $broken", async (phase) => {
        const { method, broken } = phase;
        const scene = await begin(phase.upstream);
        const token = newToken();
        const { visitor, up } = await reach(scene, token, phase);
        up.leave(how);
        await untilAnswered(visitor, method);
        const got = told(visitor, method);
        // A connection that was opened before the request came may have been closing since: there a GET is asked again.
        const again = method === "GET" && got === `200 "${token}"`;
        expect(got).toBe(
          again && phase.lost ? phase.lost.replace("{token}", token) : broken,
        );
        expect(scene.upstream.copies(token)).toBe(again ? 2 : 1);
        // RFC 9112 section 8: torn off as soon as it is known to be, and no other answer behind it.
        if (broken === "200 torn") expect(visitor.ended).toBe("FIN");
        visitor.leave("closes");
        await scene.untilCalm();
        await scene.othersGetTheirs();
      });

      it("in an answer that ends with its connection is told as an end that it is, or as a tear", async () => {
        const scene = await begin(untilClose.upstream);
        const { visitor, up } = await reach(scene, newToken(), untilClose);
        up.leave(how);
        await untilAnswered(visitor, "GET");
        // A stock sshd says a reset of the upstream with the same FIN as its end, and nothing in HTTP tells them apart here.
        expect(told(visitor, "GET")).toBe(
          how === "resets" && ingress === "embedded"
            ? "200 torn"
            : '200 "hello"',
        );
        visitor.leave("closes");
        await scene.untilCalm();
        await scene.othersGetTheirs();
      });

      it("in a chunk of an answer to HTTP/1.0, where the end of the connection is that of the answer, is told by a reset", async () => {
        const scene = await begin(says(`${CHUNKED}a\r\nhello`));
        const visitor = await scene.visitor();
        visitor.write(`GET / HTTP/1.0\r\nHost: ${scene.host}\r\n\r\n`);
        await visitor.until("hello");
        (await scene.upstream.wire(0)).leave(how);
        await visitor.untilEnded();
        expect([told(visitor, "GET"), visitor.ended]).toEqual([
          "200 torn",
          "RST",
        ]);
        await scene.untilCalm();
        await scene.othersGetTheirs();
      });

      it("right behind its answer has answered, and the next requests get theirs elsewhere", async () => {
        const scene = await begin(leaves(says(`${TEN}helloworld`)));
        const visitor = await scene.visitor();
        const token = newToken();
        visitor.write(scene.head("GET", token));
        await untilAnswered(visitor, "GET");
        // A reset may overtake what was said before it, or a part of that: it is what it is for.
        expect([
          '200 "helloworld"',
          ...(how === "resets"
            ? ["200 torn", "502 upstream-down", `200 "${token}"`]
            : []),
        ]).toContain(told(visitor, "GET"));
        visitor.leave("closes");
        await scene.untilCalm();
        await scene.othersGetTheirs();
      });

      it("between two requests costs the next visitor nothing", async () => {
        const scene = await begin(says(`${TEN}helloworld`));
        const visitor = await scene.visitor();
        visitor.write(scene.head("GET", newToken()));
        await untilAnswered(visitor, "GET");
        const up = await scene.upstream.wire(0);
        up.leave(how);
        await up.untilClosed();
        await getOwnAnswer(visitor, scene.host);
        visitor.leave("closes");
        await scene.untilCalm();
      });

      it.each([
        ["a GET is asked again", "GET", "", 2],
        ["a POST is not asked again", "POST", "Content-Length: 1", 1],
        ["a DELETE is not asked again", "DELETE", "", 1],
      ])(
        "when its second request comes: %s",
        async (_, method, line, copies) => {
          const scene = await begin(async (up) => {
            await up.until(HEAD_END);
            up.write(`${TEN}helloworld`);
            await up.until(/\r\n\r\n.*\r\n\r\n/s);
            up.leave(how);
          });
          const [first, second] = [
            await scene.visitor(),
            await scene.visitor(),
          ];
          first.write(scene.head("GET", newToken()));
          await untilAnswered(first, "GET");
          const token = newToken();
          second.write(
            scene.head(method, token, ...(line ? [line] : [])) +
              (line ? "x" : ""),
          );
          await untilAnswered(second, method);
          expect(told(second, method)).toBe(
            copies === 2 ? `200 "${token}"` : "502 upstream-closed",
          );
          expect(scene.upstream.copies(token)).toBe(copies);
          await getOwnAnswer(first, scene.host);
          first.leave("closes");
          second.leave("closes");
          await scene.untilCalm();
          await scene.othersGetTheirs();
        },
      );

      it("in a WebSocket ends the visitor's connection", async () => {
        const scene = await begin(webSocket.upstream);
        const { visitor, up } = await reach(scene, newToken(), webSocket);
        up.leave(how);
        await visitor.untilEnded();
        visitor.leave("closes");
        await scene.untilCalm();
        await scene.othersGetTheirs();
      });
    },
  );

  describe.each(["is killed", "loses its connection"] as const)(
    "a client that %s",
    (how) => {
      const all = [...phases, untilClose, webSocket];
      const played = new Map<Phase, Played>();
      let idle: { scene: Scene; halfway: Wire; between: Wire };
      let disaster: Disaster;

      beforeAll(async () => {
        const { world } = stage;
        const upstreams = await Promise.all(
          [...all.map(({ upstream }) => [upstream]), []].map(startRawUpstream),
        );
        const tunnels = upstreams.map(({ port }, i) => ({
          port,
          name: `${how.replaceAll(" ", "-")}-${i}`,
        }));
        disaster = await (how === "is killed" ? startDoomed : startCuttable)(
          world,
          tunnels,
        );
        const scenes = upstreams.map((upstream, i) =>
          openScene(world, world.urlOf(tunnels[i]!.name), upstream),
        );
        await Promise.all(
          all.map(async (phase, i) => {
            const scene = scenes[i]!;
            const token = newToken();
            const reached = await reach(scene, token, phase);
            played.set(phase, { scene, token, ...reached });
          }),
        );
        const scene = scenes.at(-1)!;
        const halfway = await scene.visitor();
        idle = { scene, halfway, between: await scene.visitor() };
        idle.halfway.write("POST /halfway HTTP/1.1\r\nContent-Len");
        await getOwnAnswer(idle.between, idle.scene.host);
        await disaster.strike();
      });
      afterAll(async () => {
        for (const { scene } of [...played.values(), idle]) await scene.end();
        await disaster.over();
      });

      for (const phase of all) {
        const { method, broken, lost = broken, lostThroughSshd } = phase;
        it(`${phase.phase} is told as ${lost}`, async () => {
          const { scene, visitor, up, token } = played.get(phase)!;
          await untilAnswered(visitor, method);
          const got = told(visitor, method).replace(token, "{token}");
          if (ingress === "openssh" && lostThroughSshd !== undefined)
            expect([lost, lostThroughSshd]).toContain(got);
          else expect(got).toBe(lost);
          expect(scene.upstream.copies(token)).toBe(
            got.includes("{token}") ? 2 : 1,
          );
          await up.untilEnded();
          visitor.leave("closes");
          await scene.othersGetTheirs();
        });
      }

      it("while a head is on its way, or between two requests, is waited for", async () => {
        const { scene, halfway, between } = idle;
        halfway.write(`gth: 1\r\nHost: ${scene.host}\r\n\r\nx`);
        await Promise.all([
          untilAnswered(halfway, "POST"),
          getOwnAnswer(between, scene.host),
        ]);
        expect(told(halfway, "POST")).toBe('200 "halfway"');
      });

      it("leaves nothing behind", async () => {
        for (const { scene, visitor } of played.values()) {
          visitor.leave("closes");
          await scene.upstream.wires[0]!.untilClosed();
        }
        idle.halfway.leave("closes");
        idle.between.leave("closes");
        await idle.scene.untilCalm();
      });
    },
  );
});
