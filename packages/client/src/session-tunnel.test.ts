import { describe, expect, it } from "vitest";
import { SessionTunnel } from "./session-tunnel.ts";
import type { ControlLink, LinkTunnel } from "./ssh/control-link.ts";

/** A link whose answers to open() are given by the test. */
function fakeLink() {
  const closed: [number, number][] = [];
  let answer!: (tunnel: LinkTunnel) => void;
  const link = {
    open: () => new Promise<LinkTunnel>((resolve) => (answer = resolve)),
    closeTunnel: (id: number, port: number) => void closed.push([id, port]),
    reportUpstream() {},
  } as unknown as ControlLink; // The rest of a link a tunnel does not use.
  return {
    ...{ link, closed },
    answer: (port: number) =>
      answer({ name: "a", url: "http://a.localhost", resume: "", port }),
  };
}

describe("a tunnel", () => {
  const finished = { t: "request", id: 7, method: "GET", path: "/" } as const;
  const request = {
    ...{ ...finished, status: 200, ms: 1, visitor: "192.0.2.1" },
    ...{ bytesIn: 0, bytesOut: 0 },
  };
  const create = (): SessionTunnel =>
    new SessionTunnel(
      7,
      { port: 9 },
      { state: "online", latencyMs: undefined, release() {} },
    );

  it("tells of so many requests a second, whatever an edge sends", async () => {
    const tunnel = create();
    let told = 0;
    tunnel.on("request", () => told++);
    for (let n = 0; n < 10_000; n++) tunnel.report(request);
    // More when the clock passes into the next second meanwhile.
    expect(told).toBeGreaterThanOrEqual(2_000);
    expect(told).toBeLessThanOrEqual(4_000);
    await tunnel.close();
  });

  it("leaves what a listener throws to the listener's owner", async () => {
    const tunnel = create();
    const mistake = new Error("mistake");
    tunnel.on("request", () => {
      throw mistake;
    });
    const uncaught = new Promise((resolve) => {
      const others = process.listeners("uncaughtException");
      process.removeAllListeners("uncaughtException");
      process.once("uncaughtException", (error) => {
        for (const listener of others)
          process.on("uncaughtException", listener);
        resolve(error);
      });
    });
    tunnel.report(request);
    expect(await uncaught).toBe(mistake);
    await tunnel.close();
  });

  it("that is closed while it is opened again is closed at the edge too", async () => {
    const tunnel = new SessionTunnel(
      7,
      { port: 9 },
      { state: "online", latencyMs: undefined, release() {} },
    );
    const first = fakeLink();
    const attached = tunnel.attach(first.link);
    first.answer(4_000);
    await attached;
    tunnel.detach();

    const second = fakeLink();
    const again = tunnel.attach(second.link);
    await tunnel.close();
    second.answer(5_000);
    await again;
    expect(second.closed).toEqual([[7, 5_000]]);
  });
});
