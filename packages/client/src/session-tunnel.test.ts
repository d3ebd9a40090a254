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
