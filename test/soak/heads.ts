// Heads of requests and answers as no client library would write them, but as the standard allows, and what must be left
// of them at the other end: everything but what the edge says it adds.
import { connect } from "node:net";
import type { ParsedRequest } from "../conformance/strict-parser.ts";
import type { Choices } from "./random.ts";

/** A field, one character a byte. */
export type Field = readonly [name: string, value: string];

const TARGETS = [
  "//",
  "///a//b//",
  "/a/../b",
  "/../../etc/passwd",
  "/./a/.",
  "/a%2Fb%2f",
  "/%2e%2e/%2E%2E/",
  "/%00",
  "/%",
  "/%zz?%",
  "/a\\b",
  "/caf%C3%A9",
  "/caf%e9%FF",
  "/a#b",
  "/a?b=c&b=c&&=&?",
  "/?",
  "/??",
  "/a;b=c,d",
  '/[]{}|^`"<>',
  "//other.example/x",
  "/http://other.example/",
  "/@:8080",
  "/+%20+",
  "/~!$&'()*",
];
const PIECES = [
  ..."/ab.%2F;:@&=+$,~!*'()".split(""),
  "//",
  "..",
  "%2F",
  "%25",
  "%e2%82%AC",
];
const NAMES = [
  "X-One",
  "x-one",
  "X-ONE",
  "Cookie",
  "cookie",
  "Via",
  "ACCEPT",
  "accept",
  "x.y",
  "!#$%&'*+-.^_`|~",
  "X-Empty",
  "Authorization",
  "Set-Cookie",
  "Warning",
  "Link",
];
const VALUES = [
  "",
  "a",
  "a, b",
  "a,b ,  c",
  "caf\xe9",
  "\xc3\xa9\xff",
  "a\tb",
  '"quoted \\" text"',
  "%0d%0a",
  "a: b",
  "()<>@,;",
  "  inner   spaces",
  "x".repeat(1_000),
];

/** A path that is odd, and allowed. */
export function oddTarget(choices: Choices): string {
  if (choices.oneIn(2)) return choices.pick(TARGETS);
  let target = "/";
  for (let left = choices.below(30); left > 0; left--)
    target += choices.pick(PIECES);
  return target;
}

/** Fields in odd case and number, some several times. */
export function oddFields(choices: Choices): Field[] {
  return Array.from({ length: choices.below(12) }, () => [
    choices.pick(NAMES),
    choices.pick(VALUES).trim(),
  ]);
}

/** A head, with Host or the status line as its first line as the caller says. */
export const writeHead = (
  firstLine: string,
  fields: readonly Field[],
): string =>
  `${firstLine}\r\n${fields.map(([name, value]) => `${name}: ${value}\r\n`).join("")}\r\n`;

// What the edge says of the visitor, at the end of each request's head.
const EDGES_OWN = /^(?:x-forwarded-(?:for|proto|host|port)|forwarded)$/i;

/** The fields of a request that came through the edge, without those that it added. */
export const withoutOurs = (request: ParsedRequest): Field[] =>
  request.headers.filter(([name]) => !EDGES_OWN.test(name));

/** Sends bytes on a connection of its own, one character a byte, and resolves with all that came back when it has closed. */
export function exchange(port: number, bytes: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, "127.0.0.1");
    let answer = "";
    socket.on("error", reject);
    socket.on("data", (chunk: Buffer) => (answer += chunk.toString("latin1")));
    socket.on("close", () => resolve(answer));
    socket.write(Buffer.from(bytes, "latin1"));
  });
}
