// Which lines are messages of the control protocol.
import fc from "fast-check";
import { expect, test } from "vitest";
import { MAX_MESSAGE_BYTES } from "./limits.ts";
import {
  encodeMessage,
  MessageError,
  parseClientMessage,
  parseEdgeMessage,
  type ClientMessage,
  type EdgeMessage,
} from "./messages.ts";

const open: ClientMessage = {
  t: "open",
  id: 0,
  kind: "http",
  port: 8080,
  name: "shop",
  upstream: "localhost:8080",
};

test.each<ClientMessage>([
  { t: "hello", v: 1, client: "expose/0.1.0", host: "laptop" },
  open,
  { t: "open", id: 65_535, kind: "http", port: 1, upstream: "./dist" },
  { t: "close", id: 3 },
  { t: "upstream", id: 3, state: "down", reason: "Nothing listens." },
  { t: "watch", on: true },
  { t: "ping", n: 7 },
])("a client's $t message arrives as it was sent", (message) => {
  expect(parseClientMessage(encodeMessage(message))).toEqual(message);
});

test.each<EdgeMessage>([
  {
    t: "welcome",
    v: 1,
    edge: "expose-edge/0.1.0",
    ingress: "openssh",
    identity: "alice@laptop",
    url: "https://*.example.com",
    proof: { client: "c".repeat(32), edge: "e".repeat(32) },
  },
  {
    t: "opened",
    id: 0,
    name: "shop",
    url: "https://shop.example.com",
    resume: "r",
  },
  { t: "refused", id: 0, code: "name-taken", message: "Taken." },
  { t: "closed", code: "draining", message: "Stopping.", retry: true },
  {
    t: "request",
    id: 0,
    method: "GET",
    path: "/ä?q=1",
    status: 200,
    ms: 1.5,
    visitor: "::1",
    bytesIn: 0,
    bytesOut: 12,
  },
  { t: "pong", n: 7 },
])("an edge's $t message arrives as it was sent", (message) => {
  expect(parseEdgeMessage(encodeMessage(message))).toEqual(message);
});

test("fields that a newer peer adds are ignored", () => {
  expect(parseClientMessage('{"t":"ping","n":1,"color":"red"}')).toEqual({
    t: "ping",
    n: 1,
  });
});

test.each([
  ["", /not JSON/],
  ["{", /not JSON/],
  ["null", /malformed/],
  ["[]", /malformed/],
  ['"ping"', /malformed/],
  ["{}", /malformed at "t"/],
  ['{"t":"pong","n":1}', /malformed at "t"/],
  ['{"t":"ping"}', /malformed at "n"/],
  ['{"t":"ping","n":"1"}', /malformed at "n"/],
  ['{"t":"ping","n":1e999}', /malformed at "n"/],
  ['{"t":"close","id":-1}', /malformed at "id"/],
  ['{"t":"close","id":1.5}', /malformed at "id"/],
  ['{"t":"close","id":65536}', /malformed at "id"/],
  [JSON.stringify({ ...open, port: 0 }), /malformed at "port"/],
  [JSON.stringify({ ...open, port: 65_536 }), /malformed at "port"/],
  [JSON.stringify({ ...open, kind: "tcp" }), /malformed at "kind"/],
  [JSON.stringify({ ...open, name: "n".repeat(65) }), /malformed at "name"/],
  ['{"t":"watch","on":1}', /malformed at "on"/],
])("the line %s is refused", (line, message) => {
  expect(() => parseClientMessage(line)).toThrow(MessageError);
  expect(() => parseClientMessage(line)).toThrow(message);
});

test("a proof of another length is refused", () => {
  const welcome = (client: string) =>
    JSON.stringify({
      t: "welcome",
      v: 1,
      edge: "e",
      ingress: "openssh",
      identity: "i",
      url: "u",
      proof: { client, edge: "e".repeat(32) },
    });
  expect(() => parseEdgeMessage(welcome("c".repeat(31)))).toThrow(
    /malformed at "proof.client"/,
  );
  expect(() => parseEdgeMessage(welcome("c".repeat(32)))).not.toThrow();
});

test("an error never quotes the line, which may hold a secret", () => {
  for (const line of ["sekret", '{"t":"sekret"}', '{"t":"ping","n":"sekret"}'])
    expect(() => parseClientMessage(line)).toThrow(
      expect.objectContaining({
        message: expect.not.stringContaining("sekret"),
      }),
    );
});

test("what a terminal or a log would obey arrives as replacement characters", () => {
  const refused = JSON.stringify({
    t: "refused",
    code: "name-taken",
    message: "a\x1b[2Jb\r\nc\x9bd\u202ee\u2028f\x7fg",
  });
  expect(parseEdgeMessage(refused)).toMatchObject({
    message: "a\ufffd[2Jb\ufffd\ufffdc\ufffdd\ufffde\ufffdf\ufffdg",
  });
});

test("text for people is cut, text for programs refused when it is too long", () => {
  const long = parseClientMessage(
    JSON.stringify({ ...open, upstream: "x".repeat(300) }),
  );
  expect(long).toMatchObject({ upstream: "x".repeat(260) });
  expect(() =>
    parseClientMessage(
      JSON.stringify({ ...open, hostHeader: "x".repeat(261) }),
    ),
  ).toThrow(/malformed at "hostHeader"/);
});

test("a message that is longer than a line may be is not sent", () => {
  const message = (length: number, character = "x"): EdgeMessage => ({
    t: "closed",
    code: "draining",
    message: character.repeat(length),
    retry: false,
  });
  const overhead = encodeMessage(message(0)).length;
  expect(encodeMessage(message(MAX_MESSAGE_BYTES - overhead))).toHaveLength(
    MAX_MESSAGE_BYTES,
  );
  expect(() =>
    encodeMessage(message(MAX_MESSAGE_BYTES - overhead + 1)),
  ).toThrow(MessageError);
  // Bytes count, not characters.
  expect(() => encodeMessage(message(2_100))).not.toThrow();
  expect(() => encodeMessage(message(2_100, "ü"))).toThrow(MessageError);
});

test("an encoded message is one line, whatever its text holds", () => {
  fc.assert(
    fc.property(anyText(300), (reason) => {
      const line = encodeMessage({
        t: "upstream",
        id: 1,
        state: "down",
        reason,
      });
      expect(line.indexOf("\n")).toBe(line.length - 1);
    }),
  );
});

test("any line is read or refused with a MessageError", () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.json()), (line) => {
      for (const parse of [parseClientMessage, parseEdgeMessage])
        try {
          parse(line);
        } catch (error) {
          expect(error).toBeInstanceOf(MessageError);
        }
    }),
  );
});

/** Any code units, lone surrogates among them; fast-check's own unit "binary" takes a second to begin. */
const anyText = (maxLength = 30) =>
  fc
    .array(fc.integer({ min: 0, max: 0xffff }), { maxLength })
    .map((units) => String.fromCharCode(...units));
