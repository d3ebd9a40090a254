import { once } from "node:events";
import { createServer, request, type IncomingMessage } from "node:http";
import { connect } from "node:net";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { describe, expect, it, onTestFinished } from "vitest";
import { silentLog } from "../util/log.ts";
import { createAdmin, type Readiness } from "./admin.ts";

describe("the admin listener", () => {
  it("is healthy as soon as it answers", async () => {
    const { get } = await useAdmin();
    expect(await get("/healthz")).toMatchObject({ status: 200, body: "ok\n" });
  });

  it.each<[Readiness, number]>([
    ["starting", 503],
    ["ready", 200],
    ["draining", 503],
  ])("says %s with %i", async (readiness, status) => {
    const { get } = await useAdmin(readiness);
    expect(await get("/readyz")).toMatchObject({
      status,
      body: `${readiness}\n`,
    });
  });

  it("shows the metrics in Prometheus' type", async () => {
    const { get } = await useAdmin();
    const { status, body, headers } = await get("/metrics?x=1");
    expect({ status, body }).toEqual({ status: 200, body: "a 1\n" });
    expect(headers["content-type"]).toBe(
      "text/plain; version=0.0.4; charset=utf-8",
    );
    expect(headers["cache-control"]).toBe("no-store");
  });

  it("answers HEAD without a body, knows no other paths and takes no other methods", async () => {
    const { get } = await useAdmin();
    expect(await get("/metrics", { method: "HEAD" })).toMatchObject({
      status: 200,
      body: "",
    });
    expect(await get("/")).toMatchObject({ status: 404 });
    expect(
      await get("/metrics", { method: "POST", send: "x=1" }),
    ).toMatchObject({ status: 405 });
  });

  it.each([
    ["127.0.0.1:7781", 200],
    ["localhost", 200],
    ["LOCALHOST:7777", 200],
    ["[::1]:7781", 200],
    ["10.0.0.5", 200],
    ["evil.example", 421],
    ["evil.example:7781", 421],
    ["127.0.0.1.evil.example", 421],
    ["localhost.evil.example", 421],
    ["user@127.0.0.1", 421],
  ])(
    "answers a call as %s with %i, so that no stranger's name leads to it",
    async (host, status) => {
      const { get } = await useAdmin();
      expect(await get("/metrics", { host })).toMatchObject({ status });
    },
  );

  it("refuses a request with two hosts", async () => {
    const { port } = await useAdmin();
    const socket = connect(port, "127.0.0.1");
    onTestFinished(() => void socket.destroy());
    socket.end(
      "GET /metrics HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\nConnection: close\r\n\r\n",
    );
    expect(await text(socket)).toMatch(/^HTTP\/1\.1 4(?:00|21) /);
  });

  it("says that its address is taken", async () => {
    const other = createServer().listen(0, "127.0.0.1");
    onTestFinished(() => void other.close());
    await once(other, "listening");
    const { port } = other.address() as AddressInfo;
    const admin = createAdmin({
      listen: { host: "127.0.0.1", port },
      readiness: () => "ready",
      metrics: () => "",
      log: silentLog,
    });
    await expect(admin.start()).rejects.toMatchObject({
      code: "listen-failed",
      message: expect.stringContaining("Change admin.listen"),
    });
    await admin.close();
  });

  it("closes although a connection to it is open", async () => {
    const { admin, port } = await useAdmin();
    const socket = connect(port, "127.0.0.1");
    socket.on("error", () => {});
    onTestFinished(() => void socket.destroy());
    await once(socket, "connect");
    // Not `once`: a connection that was not even accepted is reset, which is fine too.
    const closed = new Promise((resolve) => socket.once("close", resolve));
    await Promise.all([admin.close(), closed]);
    expect(() => admin.address()).toThrow("not open");
  });
});

async function useAdmin(readiness: Readiness = "ready") {
  const admin = createAdmin({
    listen: { host: "127.0.0.1", port: 0 },
    readiness: () => readiness,
    metrics: () => "a 1\n",
    log: silentLog,
  });
  await admin.start();
  onTestFinished(() => admin.close());
  const { port } = admin.address();
  const get = async (
    path: string,
    { method = "GET", host = "localhost", send = "" } = {},
  ) => {
    const call = request({
      port,
      host: "127.0.0.1",
      path,
      method,
      agent: false,
      headers: { host },
    });
    call.end(send);
    const [response] = (await once(call, "response")) as [IncomingMessage];
    return {
      status: response.statusCode,
      headers: response.headers,
      body: await text(response),
    };
  };
  return { admin, port, get };
}
