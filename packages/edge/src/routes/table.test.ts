import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Forward } from "../ingress/forward.ts";
import type { Identity } from "../registry/identity.ts";
import type { LiveTunnel, TunnelOwner } from "./live-tunnel.ts";
import { createResumeTokens } from "./resume.ts";
import { createRouteTable, type RouteTable } from "./table.ts";

const GRACE_MS = 60_000;

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function table(
  overrides: Partial<Parameters<typeof createRouteTable>[0]> = {},
): RouteTable {
  return createRouteTable({
    domains: ["tunnel.example.com", "localhost"],
    urlOf: (hostname) => `https://${hostname}`,
    reserved: new Set(["www", "admin"]),
    mayClaim: (identity, name) => identity.names?.includes(name) ?? true,
    resume: createResumeTokens(Buffer.alloc(32, 7)),
    graceMs: GRACE_MS,
    maxTunnelsPerIdentity: 3,
    defaultName: undefined,
    ...overrides,
  });
}

interface FakeForward extends Forward {
  end(): void;
}

function forward(): FakeForward {
  const callbacks = new Set<() => void>();
  return {
    port: 1,
    closed: false,
    connect: () => Promise.reject(new Error("not connected in this test")),
    onceClosed(callback) {
      callbacks.add(callback);
      return () => callbacks.delete(callback);
    },
    end: () => {
      for (const callback of callbacks) callback();
    },
  };
}

interface FakeOwner extends TunnelOwner {
  readonly log: string[];
}

function owner(id: string, rest: Partial<Identity> = {}): FakeOwner {
  const log: string[] = [];
  return {
    identity: {
      id,
      names: undefined,
      maxTunnels: undefined,
      directPorts: [],
      ...rest,
    },
    superseded: (tunnel) => void log.push(`superseded ${tunnel.name}`),
    lost: (tunnel) => void log.push(`lost ${tunnel.name}`),
    log,
  };
}

const request = (name?: string, resume?: string) => ({
  name,
  resume,
  forward: forward(),
  hostHeader: "preserve",
  upstream: "localhost:8080",
});

const tunnelAt = (routes: RouteTable, host: string): LiveTunnel | undefined => {
  const route = routes.find(host);
  return route.kind === "tunnel" ? (route.tunnel as LiveTunnel) : undefined;
};

describe("names", () => {
  it("leads a name to its tunnel under every domain, and nowhere else", () => {
    const routes = table();
    const { tunnel } = routes.open(owner("alice"), request("shop"));
    expect(tunnel.url).toBe("https://shop.tunnel.example.com");
    expect(tunnelAt(routes, "shop.tunnel.example.com")).toBe(tunnel);
    expect(tunnelAt(routes, "shop.localhost")).toBe(tunnel);
    expect(routes.find("other.localhost").kind).toBe("unknown");
    expect(routes.find("a.shop.localhost").kind).toBe("unknown");
    expect(routes.find("localhost").kind).toBe("unknown");
    expect(routes.find("shop.example.com").kind).toBe("foreign");
    expect(routes.find("shopxlocalhost").kind).toBe("foreign");
    expect(routes.find("192.0.2.1").kind).toBe("foreign");
  });

  it("serves the default name where the host is an IP address", () => {
    const routes = table({ defaultName: "shop" });
    const { tunnel } = routes.open(owner("alice"), request("shop"));
    expect(tunnelAt(routes, "192.0.2.1")).toBe(tunnel);
    expect(tunnelAt(routes, "[2001:db8::1]")).toBe(tunnel);
    expect(routes.find("example.org").kind).toBe("foreign");
  });

  it("makes random names that are valid, distinct and long enough not to be guessed", () => {
    const routes = table({ maxTunnelsPerIdentity: 1_000 });
    const names = Array.from(
      { length: 500 },
      () => routes.open(owner("alice"), request()).tunnel.name,
    );
    expect(new Set(names).size).toBe(500);
    for (const name of names)
      expect(name).toMatch(/^[a-hj-km-np-z][2-9a-hj-km-np-z]{13}$/);
  });

  it.each([
    ["WWW", "name-invalid"],
    ["www", "name-reserved"],
    ["a.b", "name-invalid"],
    ["xn--bcher-kva", "name-invalid"],
    ["a".repeat(64), "name-invalid"],
    ["-a", "name-invalid"],
    ["", "name-invalid"],
  ])("refuses the name %j with %s", (name, code) => {
    expect(() => table().open(owner("alice"), request(name))).toThrow(
      expect.objectContaining({ code }),
    );
  });

  it("gives a chosen name only to whom the users file grants it", () => {
    const routes = table();
    const alice = owner("alice", { names: ["shop"] });
    expect(routes.open(alice, request("shop")).tunnel.name).toBe("shop");
    expect(() => routes.open(alice, request("blog"))).toThrow(
      expect.objectContaining({ code: "name-not-allowed" }),
    );
    expect(routes.open(alice, request()).tunnel.name).toHaveLength(14);
  });

  it("refuses more tunnels than the identity may have", () => {
    const routes = table();
    const alice = owner("alice", { maxTunnels: 2 });
    routes.open(alice, request());
    routes.open(alice, request());
    expect(() => routes.open(alice, request())).toThrow(
      expect.objectContaining({ code: "too-many-tunnels" }),
    );
    routes.open(owner("bob"), request());
  });
});

describe("takeover", () => {
  it("gives the name to the newest session of the same identity at once and tells the older one", () => {
    const routes = table();
    const old = owner("alice");
    const first = routes.open(old, request("shop")).tunnel;
    const closed = vi.fn();
    first.onceClosed(closed);
    const second = routes.open(owner("alice"), request("shop")).tunnel;
    expect(tunnelAt(routes, "shop.localhost")).toBe(second);
    expect(old.log).toEqual(["superseded shop"]);
    expect(first.closed).toBe(true);
    expect(closed).toHaveBeenCalledOnce();
  });

  it("is not undone when the older session's forward ends later", () => {
    const routes = table();
    const old = request("shop");
    routes.open(owner("alice"), old);
    const second = routes.open(owner("alice"), request("shop")).tunnel;
    old.forward.end();
    vi.advanceTimersByTime(GRACE_MS * 2);
    expect(tunnelAt(routes, "shop.localhost")).toBe(second);
  });

  it("is refused to another identity, while the owner is there and while it is away", () => {
    const routes = table();
    const { tunnel } = routes.open(owner("alice"), request("shop"));
    const bob = owner("bob");
    const taken = expect.objectContaining({ code: "name-taken" });
    expect(() => routes.open(bob, request("shop"))).toThrow(taken);
    routes.close(tunnel, "lost");
    expect(() => routes.open(bob, request("shop"))).toThrow(taken);
    vi.advanceTimersByTime(GRACE_MS);
    expect(routes.open(bob, request("shop")).tunnel.name).toBe("shop");
  });

  it("does not count against the number of tunnels", () => {
    const routes = table();
    const alice = { maxTunnels: 1 };
    routes.open(owner("alice", alice), request("shop"));
    routes.open(owner("alice", alice), request("shop"));
    expect(routes.counts).toEqual({ open: 1, away: 0 });
  });
});

describe("an unclean drop", () => {
  it("keeps the name, lets visitors wait, and hands them the tunnel that comes back", async () => {
    const routes = table();
    const lost = request("shop");
    const first = owner("alice");
    routes.open(first, lost);
    lost.forward.end();
    expect(first.log).toEqual(["lost shop"]);
    const route = routes.find("shop.localhost");
    if (route.kind !== "away") throw new Error(`the route is ${route.kind}`);
    expect(route.retryAfterS).toBeGreaterThan(0);
    const waiting = route.back(5_000);
    const second = routes.open(owner("alice"), request("shop")).tunnel;
    expect(await waiting).toBe(second);
  });

  it("lets visitors go when the wait is over", async () => {
    const routes = table();
    routes.close(routes.open(owner("alice"), request("shop")).tunnel, "lost");
    const route = routes.find("shop.localhost");
    if (route.kind !== "away") throw new Error(`the route is ${route.kind}`);
    const waiting = route.back(5_000);
    vi.advanceTimersByTime(5_000);
    expect(await waiting).toBeUndefined();
    expect(routes.find("shop.localhost").kind).toBe("away");
  });

  it("frees the name after the grace period and tells who still waits", async () => {
    const routes = table();
    routes.close(routes.open(owner("alice"), request("shop")).tunnel, "lost");
    const route = routes.find("shop.localhost");
    if (route.kind !== "away") throw new Error(`the route is ${route.kind}`);
    const waiting = route.back(GRACE_MS * 2);
    vi.advanceTimersByTime(GRACE_MS);
    expect(await waiting).toBeUndefined();
    expect(routes.find("shop.localhost").kind).toBe("unknown");
    expect(vi.getTimerCount()).toBe(0);
  });

  it("keeps nothing when the owner closed the tunnel or its key was removed", () => {
    const routes = table();
    routes.close(
      routes.open(owner("alice"), request("shop")).tunnel,
      "released",
    );
    expect(routes.find("shop.localhost").kind).toBe("unknown");
    routes.close(
      routes.open(owner("alice"), request("shop")).tunnel,
      "revoked",
    );
    expect(routes.find("shop.localhost").kind).toBe("unknown");
  });
});

describe("an identity whose key was removed", () => {
  it("loses its tunnels and the names that were kept for it, and nobody else does", () => {
    const routes = table();
    const { tunnel } = routes.open(owner("alice"), request("shop"));
    routes.close(routes.open(owner("alice"), request("blog")).tunnel, "lost");
    routes.open(owner("bob"), request("wiki"));
    routes.forget("alice");
    expect(tunnel.closed).toBe(true);
    expect(routes.find("shop.localhost").kind).toBe("unknown");
    expect(routes.find("blog.localhost").kind).toBe("unknown");
    expect(routes.find("wiki.localhost").kind).toBe("tunnel");
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe("resume tokens", () => {
  it("let a random name come back to its owner after a restart, even where the users file grants no such name", () => {
    const granted = { names: ["shop"] };
    const { tunnel, resume } = table().open(owner("alice", granted), request());
    const restarted = table();
    expect(
      restarted.open(owner("alice", granted), request(tunnel.name, resume))
        .tunnel.name,
    ).toBe(tunnel.name);
  });

  it("are worthless for other names and to other identities", () => {
    const granted = { names: ["shop"] };
    const { tunnel, resume } = table().open(owner("alice", granted), request());
    const restarted = table();
    const refused = expect.objectContaining({ code: "name-not-allowed" });
    expect(() =>
      restarted.open(owner("bob", granted), request(tunnel.name, resume)),
    ).toThrow(refused);
    expect(() =>
      restarted.open(owner("alice", granted), request("blog", resume)),
    ).toThrow(refused);
    expect(() =>
      restarted.open(owner("alice", granted), request(tunnel.name, "x")),
    ).toThrow(refused);
  });

  it("are not issued for chosen names, which the users file may take away again", () => {
    expect(table().open(owner("alice"), request("shop")).resume).toBe("");
  });
});

describe("dispose", () => {
  it("closes every tunnel, frees every name and leaves no timer", () => {
    const routes = table();
    const { tunnel } = routes.open(owner("alice"), request("shop"));
    routes.close(routes.open(owner("bob"), request("blog")).tunnel, "lost");
    routes.dispose();
    expect(tunnel.closed).toBe(true);
    expect(routes.counts).toEqual({ open: 0, away: 0 });
    expect(vi.getTimerCount()).toBe(0);
    expect(() => routes.open(owner("alice"), request("shop"))).toThrow(
      expect.objectContaining({ code: "draining" }),
    );
  });
});

describe("a client that opens tunnels and vanishes again and again", () => {
  it("has no more names kept for it than it may have tunnels", () => {
    const routes = table();
    for (let i = 0; i < 10; i++) {
      const { tunnel } = routes.open(owner("alice"), request(`name${i}`));
      routes.close(tunnel, "lost");
    }
    expect(routes.counts).toEqual({ open: 0, away: 3 });
    expect(routes.find("name9.localhost").kind).toBe("away");
    expect(routes.find("name0.localhost").kind).toBe("unknown");
  });

  it("leaves nothing on a forward that stays", () => {
    const routes = table();
    let listeners = 0;
    const lasting: Forward = {
      ...forward(),
      onceClosed: () => {
        listeners++;
        return () => listeners--;
      },
    };
    for (let i = 0; i < 10; i++) {
      const { tunnel } = routes.open(owner("alice"), {
        ...request(),
        forward: lasting,
      });
      routes.close(tunnel, "released");
    }
    expect(listeners).toBe(0);
  });
});
