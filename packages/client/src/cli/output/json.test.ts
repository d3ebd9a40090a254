import { expect, test } from "vitest";
import { ExposeError } from "../../errors.ts";
import { fakeRequest, fakeTunnel } from "./fake-tunnel.ts";
import { createJsonOutput, encodeErrorEvent } from "./json.ts";
import { follow } from "./output.ts";

const now = () => new Date(Date.UTC(2026, 10, 22, 15, 4, 5));
const session = {
  server: "alice@vps.example.com:2222",
  identity: "alice",
  ingress: "embedded",
  edgeVersion: "expose-edge/0.1.0",
  latencyMs: 23,
  state: "online" as const,
};

test("each event is one line of JSON", () => {
  const lines: string[] = [];
  const output = createJsonOutput(
    { write: (text) => lines.push(text), writableLength: 0 },
    now,
  );
  const tunnel = fakeTunnel();
  const error = new ExposeError("connection-lost", "It went away.");
  follow(tunnel, output);
  output.ready(session, [tunnel]);
  tunnel.emit("request", fakeRequest());
  tunnel.emit("hint", {
    code: "host-refused",
    message: "Refused.",
    fix: "--host-header rewrite",
  });
  tunnel.emit("reconnecting", { attempt: 1, delayMs: 250.4, error });
  tunnel.emit("reconnected", { url: tunnel.url, downMs: 1_200 });
  tunnel.emit("upstream", { state: "down", reason: "nothing listens" });
  tunnel.emit("closed", { error });
  output.notice("worth knowing");
  expect(`\n${lines.join("")}`).toMatchInlineSnapshot(`
    "
    {"event":"ready","time":"2026-11-22T15:04:05.000Z","tunnel":"shop","url":"https://shop.tunnel.example.com","upstream":"localhost:8080","server":"alice@vps.example.com:2222","identity":"alice","ingress":"embedded","edge":"expose-edge/0.1.0"}
    {"event":"request","time":"2026-11-22T15:04:05.000Z","tunnel":"shop","method":"GET","path":"/api/users","status":200,"ms":12.346,"visitor":"203.0.113.5","bytesIn":100,"bytesOut":2000,"dropped":0}
    {"event":"hint","time":"2026-11-22T15:04:05.000Z","tunnel":"shop","code":"host-refused","message":"Refused.","fix":"--host-header rewrite"}
    {"event":"reconnecting","time":"2026-11-22T15:04:05.000Z","tunnel":"shop","attempt":1,"delayMs":250,"code":"connection-lost","message":"It went away."}
    {"event":"reconnected","time":"2026-11-22T15:04:05.000Z","tunnel":"shop","url":"https://shop.tunnel.example.com","downMs":1200}
    {"event":"upstream","time":"2026-11-22T15:04:05.000Z","tunnel":"shop","state":"down","reason":"nothing listens"}
    {"event":"closed","time":"2026-11-22T15:04:05.000Z","tunnel":"shop","url":"https://shop.tunnel.example.com","code":"connection-lost","message":"It went away."}
    {"event":"notice","time":"2026-11-22T15:04:05.000Z","message":"worth knowing"}
    "
  `);
});

test("the error event carries the code and the exit status", () => {
  const error = new ExposeError("name-refused", "Taken.", {
    edgeCode: "name-taken",
  });
  expect(encodeErrorEvent(error, 14, now())).toMatchInlineSnapshot(`
    "{"event":"error","time":"2026-11-22T15:04:05.000Z","code":"name-refused","message":"Taken.","edgeCode":"name-taken","exit":14}
    "
  `);
});

test("what a terminal would act on is escaped, and parses back to the same text", () => {
  const path =
    Array.from({ length: 0x300 }, (_, n) => String.fromCharCode(n)).join("") +
    "\u2028\u202e\u2066\ufeff";
  let line = "";
  const output = createJsonOutput(
    { write: (text) => (line += text), writableLength: 0 },
    now,
  );
  output.request(fakeTunnel(), fakeRequest({ path }));
  expect(line.slice(0, -1)).not.toMatch(/[\p{Cc}\p{Zl}\p{Cf}]/u);
  expect(JSON.parse(line).path).toBe(path);
});

test("a reader that does not read costs requests, and is told how many", () => {
  const lines: string[] = [];
  const sink = { write: (text: string) => lines.push(text), writableLength: 0 };
  const output = createJsonOutput(sink, now);
  const tunnel = fakeTunnel();
  sink.writableLength = 2 * 1024 * 1024;
  output.request(tunnel, fakeRequest());
  output.request(tunnel, fakeRequest({ dropped: 3 }));
  expect(lines).toEqual([]);
  sink.writableLength = 0;
  output.request(tunnel, fakeRequest({ dropped: 1 }));
  output.request(tunnel, fakeRequest());
  expect(lines.map((line) => JSON.parse(line).dropped)).toEqual([6, 0]);
});
