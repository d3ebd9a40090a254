import { once } from "node:events";
import http from "node:http";
import net from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { useInspector } from "./use-inspector.ts";
import { listenOnLoopback } from "./listen.ts";

/** Listens on a port of the system's choice whose neighbours are probably free. */
async function useTaken(host: string): Promise<number> {
  const server = net.createServer();
  server.listen(0, host);
  await once(server, "listening");
  onTestFinished(() => void server.close());
  return (server.address() as net.AddressInfo).port;
}

test.each(["127.0.0.1", "::1", "0.0.0.0"])(
  "a port that is taken on %s is left alone for the next one that is free",
  async (host) => {
    const taken = await useTaken(host);
    const inspector = await useInspector({ port: taken });
    expect(inspector.port).toBeGreaterThan(taken);
    expect(inspector.port).toBeLessThan(taken + 20);
  },
);

test("a port of a local service that is down is left alone", async () => {
  const { port } = await useInspector();
  const free = port + 1;
  const inspector = await useInspector({ port: free, avoidPorts: [free] });
  expect(inspector.port).toBeGreaterThan(free);
});

test("both loopback addresses are answered, and nothing else is listened on", async () => {
  const { port, token } = await useInspector();
  for (const host of ["127.0.0.1", "[::1]"]) {
    const response = await fetch(`http://${host}:${port}/api/v1/status`, {
      headers: { authorization: `Bearer ${token}` },
    });
    expect(response.status).toBe(200);
  }
  const page = await fetch(`http://[::1]:${port}/`);
  expect(page.status).toBe(200);
});

test("where no port is free, that is said and nothing stays open", async () => {
  const created: http.Server[] = [];
  const taken = await useTaken("127.0.0.1");
  const listening = await listenOnLoopback(
    () => {
      const server = http.createServer();
      created.push(server);
      return server;
    },
    taken,
    new Set(Array.from({ length: 100 }, (_, i) => taken + 1 + i)),
  );
  expect(listening).toBeUndefined();
  expect(created.some((server) => server.listening)).toBe(false);
});

test("closing frees the port at once, with requests and streams open", async () => {
  const inspector = await useInspector();
  const stream = await fetch(`${inspector.url}/api/v1/events`, {
    headers: { authorization: `Bearer ${inspector.token}` },
  });
  expect(stream.status).toBe(200);
  await inspector.close();
  await inspector.close();
  const next = await useInspector({ port: inspector.port });
  expect(next.port).toBe(inspector.port);
  await stream.body?.cancel().catch(() => {});
});

test("a folder for run files that cannot be written is said, and the inspector runs", async () => {
  const warnings: string[] = [];
  const { url, token } = await useInspector({
    runFolder: "/dev/null/run",
    warn: (sentence) => warnings.push(sentence),
  });
  expect(warnings).toEqual([expect.stringContaining("/dev/null/run")]);
  const response = await fetch(`${url}/api/v1/status`, {
    headers: { authorization: `Bearer ${token}` },
  });
  expect(response.status).toBe(200);
});
