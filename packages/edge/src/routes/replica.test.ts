import { expect, it } from "vitest";
import type { Forward } from "../ingress/forward.ts";
import { LiveTunnel } from "./live-tunnel.ts";
import { createRouteReplica } from "./replica.ts";

const forward: Forward = {
  port: 40_000,
  closed: false,
  connect: () => Promise.reject(new Error("not connected in this test")),
  onceClosed: () => () => {},
};

function tunnel(name: string, identity = "alice"): LiveTunnel {
  return new LiveTunnel({
    name,
    hostname: `${name}.localhost`,
    url: `http://${name}.localhost`,
    owner: {
      identity: {
        id: identity,
        names: undefined,
        maxTunnels: undefined,
        directPorts: [],
      },
      superseded() {},
      lost() {},
    },
    forward,
    hostHeader: "preserve",
    upstream: "localhost:8080",
  });
}

const useReplica = () =>
  createRouteReplica({ domains: ["localhost"], defaultName: undefined });

it("leads where it is told, and closes what a name led to before", () => {
  const replica = useReplica();
  const [first, second] = [tunnel("shop"), tunnel("shop")];
  replica.open(first);
  expect(replica.find("shop.localhost")).toEqual({
    kind: "tunnel",
    tunnel: first,
  });
  replica.open(second);
  expect(first.closed).toBe(true);
  expect(replica.named("shop")).toBe(second);
  expect(replica.find("other.localhost").kind).toBe("unknown");
  expect(replica.find("example.com").kind).toBe("foreign");
  replica.free("shop");
  expect(second.closed).toBe(true);
  expect(replica.find("shop.localhost").kind).toBe("unknown");
});

it("gives a waiting visitor the tunnel that comes back, and nothing when the name is given up", async () => {
  const replica = useReplica();
  replica.away("shop", "alice");
  const wait = () => {
    const found = replica.find("shop.localhost");
    if (found.kind !== "away") throw new Error(found.kind);
    return found.back(60_000);
  };
  const waiting = wait();
  const back = tunnel("shop");
  replica.open(back);
  expect(await waiting).toBe(back);
  replica.away("shop", "alice");
  expect(back.closed).toBe(true);
  const vain = wait();
  replica.free("shop");
  expect(await vain).toBeUndefined();
});

it("lets nobody who waits for one identity have the tunnel of another", async () => {
  const replica = useReplica();
  replica.away("shop", "alice");
  const found = replica.find("shop.localhost");
  const waiting = found.kind === "away" ? found.back(60_000) : undefined;
  replica.open(tunnel("shop", "bob"));
  expect(await waiting).toBeUndefined();
  expect(replica.find("shop.localhost").kind).toBe("tunnel");
});

it("takes the end of a tunnel here at once, and not for a name that leads elsewhere by now", () => {
  const replica = useReplica();
  const [first, second] = [tunnel("shop"), tunnel("shop")];
  replica.open(first);
  replica.ended(first, true);
  expect([first.closed, replica.find("shop.localhost").kind]).toEqual([
    true,
    "away",
  ]);
  replica.open(second);
  replica.ended(first, false);
  expect(replica.named("shop")).toBe(second);
  replica.ended(second, false);
  expect(replica.find("shop.localhost").kind).toBe("unknown");
});
