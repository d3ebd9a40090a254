// What happens when the edge itself is wrong: one request fails, and nobody else notices.
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import type { Server } from "node:http";
import { expect, onTestFinished, test } from "vitest";
import { get, request, useCannedUpstream, useEdge } from "./edge.fixture.ts";

const OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

test("a router that throws costs one request, which is answered with 500", async () => {
  const upstream = await useCannedUpstream(OK);
  const bugs: unknown[] = [];
  const bug = new Error("bug");
  const { connect, routes, tunnel, record } = await useEdge(upstream.port, {
    onBug: (error) => bugs.push(error),
    router: {
      find() {
        if (routes.has("broken.test")) throw bug;
        return { kind: "tunnel", tunnel };
      },
    },
  });
  const wire = await connect();
  routes.set("broken.test", { kind: "unknown" });
  wire.write(request("GET", "/"));
  await wire.until(/^HTTP\/1.1 500 [^]*\r\nExpose-Error: edge-error\r\n/);
  expect(bugs).toEqual([bug]);
  expect((await record()).error).toBe("edge-error");
  routes.delete("broken.test");
  wire.write(get());
  expect(await wire.untilEnded()).toMatch(/ok$/);
});

test("a wait for a client that fails costs one request", async () => {
  const upstream = await useCannedUpstream(OK);
  const bugs: unknown[] = [];
  const { send, routes } = await useEdge(upstream.port, {
    onBug: (error) => bugs.push(error),
  });
  routes.set("app.test", {
    kind: "away",
    retryAfterS: 1,
    back: () => Promise.reject(new Error("bug")),
  });
  expect(await send(get())).toMatch(/^HTTP\/1.1 500 /);
  expect(bugs).toHaveLength(1);
});

test("an observer that throws holds nothing up", async () => {
  const upstream = await useCannedUpstream(OK);
  const bugs: unknown[] = [];
  const { connect } = await useEdge(upstream.port, {
    onBug: (error) => bugs.push(error),
    observer() {
      throw new Error("bug");
    },
  });
  const wire = await connect();
  wire.write(request("GET", "/1"));
  await wire.until(/ok$/);
  wire.write(get("/2"));
  expect(await wire.untilEnded()).toMatch(/ok[^]*ok$/);
  expect(bugs).toHaveLength(2);
});

test("connections that the system fails to hand over end nothing", async () => {
  const upstream = await useCannedUpstream(OK);
  const bugs: unknown[] = [];
  const { send } = await useEdge(upstream.port, {
    onBug: (error) => bugs.push(error),
  });
  let server: Server | undefined;
  const note = (message: unknown): void => {
    ({ server } = message as { server: Server });
  };
  subscribe("http.server.request.start", note);
  onTestFinished(() => void unsubscribe("http.server.request.start", note));
  // Plain requests do not get to Node's server.
  await send(request("OPTIONS", "/", ["Connection: close"]));
  const failures = [new Error("accept ENOBUFS"), new Error("accept EPERM")];
  // As node:net says that accept(2) has failed.
  for (const failure of failures) server!.emit("error", failure);
  expect(bugs).toEqual(failures);
  expect(await send(get())).toMatch(/ok$/);
});
