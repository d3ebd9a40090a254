import { expect, test } from "vitest";
import { ExposeError } from "../../errors.ts";
import { fakeRequest, fakeTunnel } from "./fake-tunnel.ts";
import { follow } from "./output.ts";
import { createPlainOutput } from "./plain.ts";

const session = {
  server: "alice@vps.example.com:2222",
  latencyMs: 23,
  state: "online" as const,
};

function record(options: { quiet?: boolean } = {}) {
  const urls: string[] = [];
  const log: string[] = [];
  const output = createPlainOutput(
    { url: (line) => urls.push(line), log: (line) => log.push(line) },
    { ...options, now: () => new Date(2026, 10, 22, 15, 4, 5) },
  );
  return { output, urls, log };
}

test("the URL is said where it was asked for, and what happens is logged beside it", () => {
  const { output, urls, log } = record();
  const tunnel = fakeTunnel();
  const error = new ExposeError("connection-lost", "It went\naway.");
  follow(tunnel, output);
  output.ready(session, [tunnel]);
  tunnel.emit("request", fakeRequest());
  tunnel.emit(
    "request",
    fakeRequest({ status: 0, dropped: 12, path: "/\x1b[2J" }),
  );
  tunnel.emit("hint", {
    code: "host-refused",
    message: "Refused.",
    fix: "--host-header rewrite",
  });
  tunnel.emit("reconnecting", { attempt: 1, delayMs: 250, error });
  tunnel.emit("reconnected", { url: tunnel.url, downMs: 1_200 });
  tunnel.emit("upstream", { state: "down", reason: "nothing listens" });
  tunnel.emit("upstream", { state: "up", reason: undefined });
  tunnel.emit("closed", { error: undefined });
  output.notice("first\nsecond");
  expect(urls).toEqual(["https://shop.tunnel.example.com"]);
  expect(`\n${log.join("\n")}\n`).toMatchInlineSnapshot(`
    "
    15:04:05 https://shop.tunnel.example.com -> localhost:8080 (through alice@vps.example.com:2222)
    15:04:05 GET /api/users 200 12 ms
    15:04:05 (12 more requests, too many to show)
    15:04:05 GET /\\x1b[2J --- 12 ms
    15:04:05 hint: Refused. --host-header rewrite
    15:04:05 reconnecting in 250 ms (attempt 1): It went\\x0aaway.
    15:04:05 reconnected after 1.2 s: https://shop.tunnel.example.com
    15:04:05 localhost:8080 does not answer: nothing listens
    15:04:05 localhost:8080 answers again
    15:04:05 closed
    15:04:05 first
    15:04:05 second
    "
  `);
});

test("several tunnels are told apart by name", () => {
  const { output, urls, log } = record();
  const shop = fakeTunnel();
  const api = fakeTunnel({
    name: "api",
    url: "https://api.tunnel.example.com",
  });
  output.ready(session, [shop, api]);
  output.request(api, fakeRequest());
  expect(urls).toEqual([shop.url, api.url]);
  expect(log.at(-1)).toBe("15:04:05 api: GET /api/users 200 12 ms");
});

test("quiet means the URL alone", () => {
  const { output, urls, log } = record({ quiet: true });
  const tunnel = fakeTunnel();
  follow(tunnel, output);
  output.ready(session, [tunnel]);
  output.qr(tunnel.url);
  output.notice("a notice");
  tunnel.emit("request", fakeRequest());
  tunnel.emit("closed", { error: undefined });
  expect(urls).toEqual([tunnel.url]);
  expect(log).toEqual([]);
});
