// How much there is to wait for from the start of a client to its URL.
import { afterAll, beforeAll, expect, it, onTestFinished } from "vitest";
import { startSlowRelay, type SlowRelay } from "../harness/slow-relay.ts";
import { describeIngress, startWorld, type World } from "../harness/worlds.ts";
import { hello, startUpstream } from "../harness/upstreams.ts";
import { visit } from "../harness/visit.ts";

// Long against what client and server need for an answer, on a busy machine too: behind sshd that includes the start of a
// Perl program.
const DELAY_MS = 300;

// Key exchange 2 (who is there and with which algorithms, then the exchange itself), login 1, session and forward 1,
// command, greeting and tunnel 1. sshd lets nothing be written to a command before it has started it, which is 1 more;
// `ssh -R` listens after as many, and prints no URL.
const ROUND_TRIPS = { embedded: 5, openssh: 6 };

describeIngress("from the start to the URL", (ingress) => {
  let world: World;
  beforeAll(async () => {
    world = await startWorld(ingress);
  });
  afterAll(() => world.stop());

  async function throughRelay(): Promise<{ relay: SlowRelay; server: string }> {
    const [user, address] = world.server.split("@") as [string, string];
    const relay = await startSlowRelay(Number(address.split(":")[1]), DELAY_MS);
    return { relay, server: `${user}@127.0.0.1:${relay.port}` };
  }

  it(`takes ${ROUND_TRIPS[ingress]} round trips on the SSH connection`, async () => {
    const upstream = await startUpstream(hello);
    const { relay, server } = await throughRelay();
    const tunnel = await world.expose({ port: upstream.port, server });
    onTestFinished(() => tunnel.close());
    expect(relay.roundTrips).toBe(ROUND_TRIPS[ingress]);
    expect((await visit(tunnel.url, "/1")).text).toBe("hello /1");
  });
});
