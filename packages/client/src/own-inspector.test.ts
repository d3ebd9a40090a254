import { once } from "node:events";
import net from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { parseUpstreamSpec } from "@expose/protocol";
import { noteOwnPort } from "./inspect/run-ports.ts";
import { createUpstream } from "./local/upstream.ts";
import { leadsToOwnInspector, refuseOwnInspector } from "./own-inspector.ts";
import { openReplayUpstream } from "./replay-upstream.ts";

async function useListener(): Promise<number> {
  const server = net.createServer((socket) => socket.on("error", () => {}));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => void server.close());
  return (server.address() as net.AddressInfo).port;
}

test.each([
  "",
  "localhost:",
  "127.0.0.1:",
  "127.1.2.3:",
  "[::1]:",
  "0.0.0.0:",
  "[::]:",
  "app.localhost:",
  "http://localhost:",
])("a tunnel to %s and an inspector's port is refused", (host) => {
  onTestFinished(noteOwnPort(4047));
  expect(() => refuseOwnInspector(parseUpstreamSpec(`${host}4047`))).toThrow(
    "is the inspector of a running expose",
  );
});

test.each([
  "4048",
  "192.168.1.5:4047",
  "example.com:4047",
  "unix:/4047",
  "./4047",
])("a tunnel to %s is none of that", (text) => {
  onTestFinished(noteOwnPort(4047));
  expect(() => refuseOwnInspector(parseUpstreamSpec(text))).not.toThrow();
});

test.each(["localhost", "127.0.0.1", "0.0.0.0"])(
  "a tunnel to %s that was open before the inspector came does not get there",
  async (host) => {
    const port = await useListener();
    const upstream = createUpstream(parseUpstreamSpec(`${host}:${port}`), {
      isForbidden: leadsToOwnInspector,
      bridgeMs: 0,
    });
    onTestFinished(() => upstream.close());
    const { signal } = new AbortController();
    (await upstream.dial(signal)).destroy();
    onTestFinished(noteOwnPort(port));
    await expect(upstream.dial(signal)).rejects.toThrow(
      "is not open to visitors",
    );
  },
);

test("a replay does not get there either", async () => {
  const port = await useListener();
  onTestFinished(noteOwnPort(port));
  const upstream = openReplayUpstream(parseUpstreamSpec(String(port)));
  await expect(
    upstream.dial(new AbortController().signal),
  ).rejects.toMatchObject({ code: "upstream-invalid" });
});
