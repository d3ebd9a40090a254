// What an upstream can say that is not so, floods, or is no HTTP/1.1, and what its visitor gets: a page of the edge, a torn
// answer, or a whole one without what was wrong with it.
import { HEAD_END } from "./phases.ts";
import { honestAnswer, type Script } from "./stage.ts";
import type { Leaving, Wire } from "./wire.ts";

/** One lie. */
export interface Lie {
  /** `an upstream that ...`. */
  readonly that: string;
  /** What it says once it has a request, or what it does from the beginning of its connection. */
  readonly says: string | Script;
  /** How it goes when it has said it. Default: it stays, and keeps quiet. */
  readonly leaves?: Leaving;
  /** What it says when the visitor has the answer. */
  readonly later?: string;
  /** Default: GET. */
  readonly asked?: "GET" | "HEAD" | "POST";
  /** What the visitor makes of it, see told(). */
  readonly gets: string;
  /** What all that the visitor is sent has to match, and must not. */
  readonly shows?: RegExp;
  readonly hides?: RegExp;
  /** Whether nothing was wrong with it, so that its connection serves again. */
  readonly good?: boolean;
}

const ok = (...lines: readonly string[]): string =>
  ["HTTP/1.1 200 OK", ...lines, "", ""].join("\r\n");
const CHUNKED = ok("Transfer-Encoding: chunked");
const EVIL = honestAnswer("GET", "evil");
const INVALID = "502 upstream-invalid";
const TORN = "200 torn";

/** Refused as no HTTP/1.1. @param what pairs of what it says and how it is called */
const refused = (what: Readonly<Record<string, string>>): Lie[] =>
  Object.entries(what).map(([that, says]) => ({
    that,
    says,
    gets: INVALID,
    hides: /evil|OpenSSH|Set-Cookie/i,
  }));

/** Torn off behind what was right about it. */
const torn = (what: Readonly<Record<string, string>>): Lie[] =>
  Object.entries(what).map(([that, says]) => ({
    that,
    says,
    gets: TORN,
    hides: /evil|\r\n0\r\n/,
  }));

// More than any limit; whoever is not stopped by then is stopped by nothing.
const FLOOD_BYTES = 32 * 1024 * 1024;
const PIECE_BYTES = 32 * 1024;

/** Says one thing, and then another one for ever. */
const floods =
  (first: string, over: string): Script =>
  async (up) => {
    await up.until(HEAD_END);
    up.write(first);
    const piece = over.repeat(Math.ceil(PIECE_BYTES / over.length));
    for (let sent = 0; sent < FLOOD_BYTES && !up.over; sent += piece.length)
      await written(up, piece);
  };

const written = (up: Wire, text: string): Promise<void> =>
  new Promise((resolve) => {
    up.socket.write(text, "latin1", () => resolve());
  });

/** Says it in as many packets as it has bytes. */
const bytewise =
  (text: string): Script =>
  async (up) => {
    await up.until(HEAD_END);
    for (const byte of text) {
      await written(up, byte);
      await new Promise(setImmediate);
    }
  };

const hints = (count: number): string =>
  "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n".repeat(count);

const lengths: readonly Lie[] = [
  {
    that: "says a length above what it has, and closes",
    says: `${ok("Content-Length: 10")}hello`,
    leaves: "closes",
    gets: TORN,
  },
  {
    that: "says a length above what it has, and resets",
    says: `${ok("Content-Length: 10")}hello`,
    leaves: "resets",
    gets: TORN,
  },
  {
    that: "says a length of 15 digits",
    says: `${ok("Content-Length: 999999999999999")}hello`,
    leaves: "closes",
    gets: TORN,
  },
  {
    that: "says a length below what it has",
    says: `${ok("Content-Length: 5")}hello, ${EVIL}`,
    gets: '200 "hello"',
  },
  {
    that: "says that it has nothing, and has something",
    says: `${ok("Content-Length: 0")}${EVIL}`,
    gets: '200 ""',
  },
  ...refused({
    "says the same length twice": `${ok("Content-Length: 5", "Content-Length: 5")}evil!`,
    "says two lengths": `${ok("Content-Length: 5", "Content-Length: 6")}evil!`,
    "says a list of lengths": `${ok("Content-Length: 5, 5")}evil!`,
    "says a negative length": `${ok("Content-Length: -5")}evil!`,
    "says a length with a plus": `${ok("Content-Length: +5")}evil!`,
    "says a hexadecimal length": `${ok("Content-Length: 0x5")}evil!`,
    "says a length with a fraction": `${ok("Content-Length: 5.0")}evil!`,
    "says a length with a space in it": `${ok("Content-Length: 1 0")}evil!`,
    "says a length that is none": `${ok("Content-Length: five")}evil!`,
    "says no length where it would stand": `${ok("Content-Length: ")}evil!`,
    "says a length beyond what numbers hold": `${ok(`Content-Length: ${"9".repeat(30)}`)}evil!`,
    "says a length with a tab before it": `${ok("Content-Length:\t5")}evil!`,
    "says a length, and chunks": `${ok("Content-Length: 5", "Transfer-Encoding: chunked")}5\r\nevil!\r\n0\r\n\r\n`,
    "says chunks, and a length": `${ok("Transfer-Encoding: chunked", "Content-Length: 5")}5\r\nevil!\r\n0\r\n\r\n`,
  }),
];

const codings: readonly Lie[] = refused({
  "codes with gzip": `${ok("Transfer-Encoding: gzip")}evil`,
  "codes with gzip and chunks": `${ok("Transfer-Encoding: gzip, chunked")}4\r\nevil\r\n0\r\n\r\n`,
  "codes with chunks and gzip": `${ok("Transfer-Encoding: chunked, gzip")}4\r\nevil\r\n0\r\n\r\n`,
  "codes with identity": `${ok("Transfer-Encoding: identity")}evil`,
  "codes with chunks in chunks": `${ok("Transfer-Encoding: chunked, chunked")}4\r\nevil\r\n0\r\n\r\n`,
  "says chunks twice": `${ok("Transfer-Encoding: chunked", "Transfer-Encoding: chunked")}4\r\nevil\r\n0\r\n\r\n`,
  "says chunks with a parameter": `${ok("Transfer-Encoding: chunked;a=b")}4\r\nevil\r\n0\r\n\r\n`,
  "says something like chunks": `${ok("Transfer-Encoding: xchunked")}4\r\nevil\r\n0\r\n\r\n`,
  "says chunks in quotes": `${ok('Transfer-Encoding: "chunked"')}4\r\nevil\r\n0\r\n\r\n`,
  "says chunks with a vertical tab": `${ok("Transfer-Encoding: \vchunked")}4\r\nevil\r\n0\r\n\r\n`,
  "says chunks in HTTP/1.0":
    "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nevil\r\n0\r\n\r\n",
});

const chunks: readonly Lie[] = [
  ...torn({
    "sends a negative chunk": `${CHUNKED}5\r\nhello\r\n-4\r\nevil\r\n0\r\n\r\n`,
    "sends a chunk with a plus": `${CHUNKED}5\r\nhello\r\n+4\r\nevil\r\n0\r\n\r\n`,
    "sends a chunk with 0x": `${CHUNKED}5\r\nhello\r\n0x4\r\nevil\r\n0\r\n\r\n`,
    "sends a chunk with a size that is none": `${CHUNKED}5\r\nhello\r\nzz\r\nevil\r\n0\r\n\r\n`,
    "sends a chunk without a size": `${CHUNKED}5\r\nhello\r\n\r\nevil\r\n0\r\n\r\n`,
    "sends a chunk with a space before its size": `${CHUNKED}5\r\nhello\r\n 4\r\nevil\r\n0\r\n\r\n`,
    "sends a chunk with a space behind its size": `${CHUNKED}5\r\nhello\r\n4 \r\nevil\r\n0\r\n\r\n`,
    "sends a chunk beyond what numbers hold": `${CHUNKED}5\r\nhello\r\nfffffffffffffffff4\r\nevil\r\n0\r\n\r\n`,
    "sends a chunk with zeros without end": `${CHUNKED}5\r\nhello\r\n${"0".repeat(100)}4\r\nevil\r\n0\r\n\r\n`,
    "sends a chunk that is longer than it says": `${CHUNKED}5\r\nhello, evil\r\n0\r\n\r\n`,
    "sends a chunk that is shorter than it says": `${CHUNKED}7\r\nhello\r\n5\r\nevil!\r\n0\r\n\r\n`,
    "ends a chunk's size with LF": `${CHUNKED}5\r\nhello\r\n4\nevil\r\n0\r\n\r\n`,
    "ends a chunk's size with CR": `${CHUNKED}5\r\nhello\r\n4\revil\r\n0\r\n\r\n`,
    "ends a chunk with LF": `${CHUNKED}5\r\nhello\n4\r\nevil\r\n0\r\n\r\n`,
    "extends a chunk with NUL": `${CHUNKED}5\r\nhello\r\n4;\0\r\nevil\r\n0\r\n\r\n`,
    "extends a chunk with LF": `${CHUNKED}5\r\nhello\r\n4;a\nevil\r\n0\r\n\r\n`,
    "extends a chunk with 5,000 bytes": `${CHUNKED}5\r\nhello\r\n4;${"a".repeat(5_000)}\r\nevil\r\n0\r\n\r\n`,
    "sends a trailer with NUL": `${CHUNKED}5\r\nhello\r\n0\r\nA: \0evil\r\n\r\n`,
    "sends a trailer with a space in its name": `${CHUNKED}5\r\nhello\r\n0\r\nA : evil\r\n\r\n`,
    "folds a trailer": `${CHUNKED}5\r\nhello\r\n0\r\nA: 1\r\n evil\r\n\r\n`,
    "ends a trailer with LF": `${CHUNKED}5\r\nhello\r\n0\r\nA: 1\nB: evil\r\n\r\n`,
    "sends 600 trailers": `${CHUNKED}5\r\nhello\r\n0\r\n${"A: evil\r\n".repeat(600)}\r\n`,
  }),
  {
    that: "closes in a chunk",
    says: `${CHUNKED}a\r\nhello`,
    leaves: "closes",
    gets: TORN,
  },
  {
    that: "closes between two chunks",
    says: `${CHUNKED}5\r\nhello\r\n`,
    leaves: "closes",
    gets: TORN,
  },
  {
    that: "closes in the size of the last chunk",
    says: `${CHUNKED}5\r\nhello\r\n0`,
    leaves: "closes",
    gets: TORN,
  },
  {
    that: "closes before the last line end",
    says: `${CHUNKED}5\r\nhello\r\n0\r\n`,
    leaves: "closes",
    gets: TORN,
  },
  {
    that: "extends a chunk for ever",
    says: floods(`${CHUNKED}5\r\nhello\r\n4;`, "a"),
    gets: TORN,
  },
  {
    that: "sends trailers for ever",
    says: floods(`${CHUNKED}5\r\nhello\r\n0\r\n`, "A: evil\r\n"),
    gets: TORN,
    hides: /evil/,
  },
  {
    that: "sends one endless trailer",
    says: floods(`${CHUNKED}5\r\nhello\r\n0\r\nA: `, "evil"),
    gets: TORN,
    hides: /evil/,
  },
  {
    that: "extends its chunks a little",
    says: `${CHUNKED}5;a="b"\r\nhello\r\n0;c\r\n\r\n`,
    gets: '200 "hello"',
    hides: /a=/,
    good: true,
  },
  {
    that: "sends trailers that would come too late",
    says: `${CHUNKED}5\r\nhello\r\n0\r\n${[
      "Content-Length: 4",
      "Transfer-Encoding: chunked",
      "Set-Cookie: sid=evil",
      "Content-Type: text/evil",
      "Content-Encoding: evil",
      "Cache-Control: evil",
      "Authorization: evil",
      "Connection: evil",
      "Host: evil",
      "Expose-Error: evil",
      "X-Sum: 5",
    ].join("\r\n")}\r\n\r\n`,
    gets: '200 "hello"',
    shows: /\r\n0\r\nX-Sum: 5\r\n\r\n/,
    hides: /evil/,
    good: true,
  },
];

const bodies: readonly Lie[] = [
  {
    that: "answers a HEAD with a body",
    asked: "HEAD",
    says: EVIL,
    gets: '200 ""',
    shows: /Content-Length: 4\r\n/,
    hides: /\r\n\r\nevil/,
  },
  {
    that: "answers a HEAD with chunks",
    asked: "HEAD",
    says: `${CHUNKED}4\r\nevil\r\n0\r\n\r\n`,
    gets: '200 ""',
    hides: /evil/,
  },
  {
    that: "answers a HEAD with another answer as its body",
    asked: "HEAD",
    says: `${ok(`Content-Length: ${EVIL.length}`)}${EVIL}`,
    gets: '200 ""',
    hides: /\r\n\r\n[^]*evil/,
  },
  {
    that: "answers a HEAD as it is right",
    asked: "HEAD",
    says: ok("Content-Length: 10"),
    gets: '200 ""',
    shows: /Content-Length: 10\r\n/,
    good: true,
  },
  {
    that: "sends a body behind a 204 with a length",
    says: "HTTP/1.1 204 No Content\r\nContent-Length: 4\r\n\r\nevil",
    gets: '204 ""',
    hides: /evil|Content-Length/i,
  },
  {
    that: "sends a body behind a 204 with chunks",
    says: "HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nevil\r\n0\r\n\r\n",
    gets: '204 ""',
    hides: /evil|Transfer-Encoding/i,
  },
  {
    that: "sends another answer behind a 204",
    says: `HTTP/1.1 204 No Content\r\n\r\n${EVIL}`,
    gets: '204 ""',
    hides: /evil/,
  },
  {
    that: "sends a body behind a 304 with a length",
    says: "HTTP/1.1 304 Not Modified\r\nContent-Length: 4\r\n\r\nevil",
    gets: '304 ""',
    hides: /evil/,
  },
  {
    that: "sends a body behind a 304 with chunks",
    says: "HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nevil\r\n0\r\n\r\n",
    gets: '304 ""',
    hides: /evil/,
  },
  {
    that: "sends a 304 as it is right",
    says: 'HTTP/1.1 304 Not Modified\r\nETag: "a"\r\nContent-Length: 4\r\n\r\n',
    gets: '304 ""',
    good: true,
  },
];

const order: readonly Lie[] = [
  {
    that: "answers twice at once",
    says: honestAnswer("GET", "first") + EVIL,
    gets: '200 "first"',
  },
  {
    that: "answers twice, the second time when nobody asks",
    says: honestAnswer("GET", "first"),
    later: EVIL,
    gets: '200 "first"',
  },
  {
    that: "answers twice in chunks",
    says: `${CHUNKED}5\r\nfirst\r\n0\r\n\r\n${EVIL}`,
    gets: '200 "first"',
  },
  {
    that: "says goodbye when nobody asks",
    says: honestAnswer("GET", "first"),
    later: "HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n\r\n",
    gets: '200 "first"',
  },
  {
    that: "answers before it is asked",
    async says(up) {
      up.write(honestAnswer("GET", "early"));
      await up.until(HEAD_END);
    },
    gets: '200 "early"',
    good: true,
  },
  {
    that: "answers twice before it is asked",
    says: (up) => up.write(honestAnswer("GET", "early") + EVIL),
    gets: '200 "early"',
  },
  {
    that: "answers before it has the body",
    asked: "POST",
    says: honestAnswer("GET", "early") + EVIL,
    gets: '200 "early"',
  },
  {
    that: "answers before it has the body, and waits for no more of it",
    asked: "POST",
    says: honestAnswer("GET", "early"),
    gets: '200 "early"',
  },
  {
    that: "says something behind its answer",
    says: `${honestAnswer("GET", "first")}evil`,
    gets: '200 "first"',
  },
  {
    that: "says an empty line behind its answer",
    says: `${honestAnswer("GET", "first")}\r\n`,
    gets: '200 "first"',
  },
  {
    that: "says something behind its answer when nobody asks",
    says: honestAnswer("GET", "first"),
    later: "\r\n",
    gets: '200 "first"',
  },
  {
    that: "says that it closes, and stays",
    says: `${ok("Connection: close", "Content-Length: 5")}first`,
    gets: '200 "first"',
    hides: /Connection: close/i,
  },
  {
    that: "says what makes its answer end with the connection, and answers again",
    says: `${ok()}hello${EVIL}`,
    leaves: "closes",
    gets: `200 ${JSON.stringify(`hello${EVIL}`)}`,
  },
  {
    that: "answers as it is right",
    says: honestAnswer("GET", "first"),
    gets: '200 "first"',
    good: true,
  },
];

const interims: readonly Lie[] = [
  {
    that: "gives sixteen hints",
    says: hints(16) + honestAnswer("GET", "first"),
    gets: `${"103, ".repeat(16)}200 "first"`,
    good: true,
  },
  {
    that: "gives seventeen hints",
    says: hints(17) + EVIL,
    gets: `${"103, ".repeat(16)}${INVALID}`,
    hides: /evil/,
  },
  {
    that: "gives hints for ever",
    says: floods("", hints(1)),
    gets: `${"103, ".repeat(16)}${INVALID}`,
  },
  {
    that: "says 100 for ever, unasked",
    says: floods("", "HTTP/1.1 100 Continue\r\n\r\n"),
    gets: INVALID,
    hides: /100 Continue/,
  },
  {
    that: "says 102 for ever",
    says: floods("", "HTTP/1.1 102 Processing\r\n\r\n"),
    gets: INVALID,
    hides: /Processing/,
  },
  {
    that: "says 100 unasked, once",
    says: `HTTP/1.1 100 Continue\r\n\r\n${honestAnswer("GET", "first")}`,
    gets: '200 "first"',
    good: true,
  },
  {
    that: "gives an interim answer a body",
    says: `HTTP/1.1 103 Early Hints\r\nContent-Length: 4\r\n\r\nevil${EVIL}`,
    gets: `103, ${INVALID}`,
    hides: /evil|Content-Length: 4/,
  },
  {
    that: "ends with an interim answer",
    says: hints(1),
    leaves: "closes",
    gets: "103, 502 upstream-closed",
  },
  ...refused({
    "switches protocols unasked":
      "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nevil",
    "switches to HTTP/2 unasked":
      "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\nevil",
    "switches protocols without saying to what":
      "HTTP/1.1 101 Switching Protocols\r\n\r\nevil",
  }),
];

const heads: readonly Lie[] = [
  ...refused({
    "ends its lines with LF": "HTTP/1.1 200 OK\nContent-Length: 4\n\nevil",
    "ends one line with LF": ok("A: b\nSet-Cookie: evil", "Content-Length: 0"),
    "ends one line with CR": ok("A: b\rSet-Cookie: evil", "Content-Length: 0"),
    "ends one line with CR CR LF": ok("A: b\r", "Content-Length: 0"),
    "folds a line with a space": ok("A: b", " Set-Cookie: evil"),
    "folds a line with a tab": ok("A: b", "\tSet-Cookie: evil"),
    "folds its first line": ok(" Set-Cookie: evil", "Content-Length: 0"),
    "folds its length": ok("Content-Length:", " 4", "A: evil"),
    "says NUL in a value": ok("A: \0evil", "Content-Length: 0"),
    "says NUL in a name": ok("A\0: evil", "Content-Length: 0"),
    "says DEL in a value": ok("A: \x7fevil", "Content-Length: 0"),
    "says BEL in a value": ok("A: \x07evil", "Content-Length: 0"),
    "has a space before a colon": ok("Content-Length : 4") + "evil",
    "has a tab before a colon": ok("Content-Length\t: 4") + "evil",
    "has a space in a name": ok("Content Length: 4") + "evil",
    "has a line without a colon": ok("Content-Length 4") + "evil",
    "has a line without a name": ok(": evil", "Content-Length: 0"),
    "has a name beyond ASCII": ok("\xc3\xa9: evil", "Content-Length: 0"),
    "has a name in brackets": ok("(A): evil", "Content-Length: 0"),
    "has 501 lines": ok("Content-Length: 0", ...Array(500).fill("A: evil")),
    "has a line of 70,000 bytes": ok(`A: ${"evil".repeat(17_500)}`),
  }),
  {
    that: "has 500 lines",
    says: ok("Content-Length: 0", ...Array<string>(499).fill("A: b")),
    gets: '200 ""',
    good: true,
  },
  {
    that: "sends lines for ever",
    says: floods("HTTP/1.1 200 OK\r\n", "A: evil\r\n"),
    gets: INVALID,
  },
  {
    that: "sends one line for ever",
    says: floods("HTTP/1.1 200 OK\r\nA: ", "evil"),
    gets: INVALID,
    hides: /evil/,
  },
  {
    that: "sends one name for ever",
    says: floods("HTTP/1.1 200 OK\r\n", "evil"),
    gets: INVALID,
    hides: /evil/,
  },
  {
    that: "gives a reason for ever",
    says: floods("HTTP/1.1 200 ", "evil"),
    gets: INVALID,
    hides: /evil/,
  },
  {
    that: "sends empty lines for ever",
    says: floods("", "\r\n"),
    gets: INVALID,
  },
  {
    that: "closes before its status line is whole",
    says: "HTTP/1.1 2",
    leaves: "closes",
    gets: "502 upstream-closed",
  },
  {
    that: "closes in its head",
    says: "HTTP/1.1 200 OK\r\nSet-Cookie: evil\r\n",
    leaves: "closes",
    gets: "502 upstream-closed",
    hides: /evil/,
  },
  {
    that: "says cookies in characters that become line ends when they are cut to a byte",
    says: `${ok("A: b\xc4\x8d\xc4\x8aSet-Cookie: no", "Content-Length: 5")}hello`,
    gets: '200 "hello"',
    shows: /\r\nA: b\xc4\x8d\xc4\x8aSet-Cookie: no\r\n/,
    hides: /\nSet-Cookie/,
    good: true,
  },
  {
    that: "sets two cookies",
    says: `${ok("Set-Cookie: a=1, b", "Set-Cookie: c=2", "Content-Length: 5")}hello`,
    gets: '200 "hello"',
    shows: /\r\nSet-Cookie: a=1, b\r\nSet-Cookie: c=2\r\n/,
    good: true,
  },
  {
    that: "pretends to be the edge",
    says: `HTTP/1.1 502 Bad Gateway\r\nexpose-ERROR: upstream-down\r\nContent-Length: 4\r\n\r\nmine`,
    gets: '502 "mine"',
    hides: /expose-error/i,
    good: true,
  },
  {
    that: "says what belongs to one hop",
    says: `${ok(
      "Connection: X-Evil, Keep-Alive",
      "X-Evil: 1",
      "Keep-Alive: timeout=60, evil",
      "Proxy-Connection: evil",
      "Proxy-Authenticate: evil",
      "TE: evil",
      "Upgrade: evil",
      "Content-Length: 5",
    )}hello`,
    gets: '200 "hello"',
    hides: /evil/i,
    good: true,
  },
  {
    that: "takes its own length away",
    says: `${ok("Connection: Content-Length", "Content-Length: 5")}hello${EVIL}`,
    gets: '200 "hello"',
  },
];

const statusLines: readonly Lie[] = [
  ...refused({
    "says a status of two digits": "HTTP/1.1 20 OK\r\n\r\nevil",
    "says a status of four digits": "HTTP/1.1 2000 OK\r\n\r\nevil",
    "says a status below 100": "HTTP/1.1 099 OK\r\n\r\nevil",
    "says a negative status": "HTTP/1.1 -20 OK\r\n\r\nevil",
    "says a status that is none": "HTTP/1.1 2e2 OK\r\n\r\nevil",
    "says no status": "HTTP/1.1 \r\n\r\nevil",
    "says no space before its status": "HTTP/1.1200 OK\r\n\r\nevil",
    "says two spaces before its status": "HTTP/1.1  200 OK\r\n\r\nevil",
    "says a tab before its status": "HTTP/1.1\t200 OK\r\n\r\nevil",
    "says no space behind its status": "HTTP/1.1 200OK\r\n\r\nevil",
    "says NUL in its reason": "HTTP/1.1 200 O\0K\r\n\r\nevil",
    "says ESC in its reason": "HTTP/1.1 200 \x1b[2J\r\n\r\nevil",
    "says http in small letters": "http/1.1 200 OK\r\n\r\nevil",
    "says an empty line first": `\r\n${EVIL}`,
    "says a space first": ` ${EVIL}`,
    "says a byte order mark first": `\xef\xbb\xbf${EVIL}`,
    "speaks HTTP/0.9": "<html>evil</html>",
    "says HTTP/0.9": "HTTP/0.9 200 OK\r\nContent-Length: 4\r\n\r\nevil",
    "says HTTP/1.2": "HTTP/1.2 200 OK\r\nContent-Length: 4\r\n\r\nevil",
    "says HTTP/1.10": "HTTP/1.10 200 OK\r\nContent-Length: 4\r\n\r\nevil",
    "says HTTP/1": "HTTP/1 200 OK\r\nContent-Length: 4\r\n\r\nevil",
    "says HTTP/2": "HTTP/2 200 OK\r\nContent-Length: 4\r\n\r\nevil",
    "says HTTP/2.0": "HTTP/2.0 200 OK\r\nContent-Length: 4\r\n\r\nevil",
    "speaks HTTP/2": "\0\0\x12\x04\0\0\0\0\0\0\x03\0\0\0\x64evil",
    "speaks TLS": "\x15\x03\x01\0\x02\x02\x50evil",
    "speaks SSH": "SSH-2.0-OpenSSH_9.2\r\n",
    "speaks Icecast": "ICY 200 OK\r\n\r\nevil",
    "speaks RTSP": "RTSP/1.0 200 OK\r\n\r\nevil",
    "asks instead of answering": "GET /evil HTTP/1.1\r\nHost: evil\r\n\r\n",
  }),
  {
    that: "says HTTP/1.0",
    says: "HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello",
    gets: '200 "hello"',
    shows: /^HTTP\/1\.1 /,
  },
  {
    that: "says HTTP/1.0 and ends",
    says: "HTTP/1.0 200 OK\r\n\r\nhello",
    leaves: "closes",
    gets: '200 "hello"',
    shows: /^HTTP\/1\.1 /,
  },
  {
    that: "says no reason",
    says: "HTTP/1.1 200\r\nContent-Length: 5\r\n\r\nhello",
    gets: '200 "hello"',
    good: true,
  },
  {
    that: "says a status that nobody knows",
    says: "HTTP/1.1 599 What\r\nContent-Length: 5\r\n\r\nhello",
    gets: '599 "hello"',
    good: true,
  },
];

const slow: readonly Lie[] = [
  {
    that: "says an answer with a length byte by byte",
    says: bytewise(`${ok("X-A: b", "Content-Length: 5")}hello`),
    gets: '200 "hello"',
    good: true,
  },
  {
    that: "says hints and chunks byte by byte",
    says: bytewise(
      `${hints(1)}${CHUNKED}5;a=b\r\nhello\r\n1\r\n!\r\n0\r\nX-Sum: 1\r\n\r\n`,
    ),
    gets: '103, 200 "hello!"',
    shows: /\r\n0\r\nX-Sum: 1\r\n\r\n/,
    good: true,
  },
  {
    that: "says another protocol byte by byte",
    says: bytewise("SSH-2.0-OpenSSH_9.2\r\n"),
    gets: INVALID,
  },
];

/** All of them that show at once, by what is wrong. */
export const lies = {
  "with its lengths": lengths,
  "with its codings": codings,
  "with its chunks": chunks,
  "with bodies where none may be": bodies,
  "with the order of things": order,
  "with interim answers": interims,
  "with its heads": heads,
  "with its status line": statusLines,
  "by being slow": slow,
} satisfies Readonly<Record<string, readonly Lie[]>>;

/** Says one byte after the other for ever, each long before its limit. */
const dribbles =
  (first: string): Script =>
  async (up) => {
    await up.until(HEAD_END);
    up.write(first);
    while (!up.over) {
      up.write("a");
      await up.change(DRIBBLE_MS);
    }
  };

const DRIBBLE_MS = 200;

/** And those that show when a time limit has passed, `first-byte` or `response-idle`. */
export const delays: readonly Lie[] = [
  { that: "says nothing", says: "", gets: "504 upstream-timeout" },
  {
    that: "says half a status line",
    says: "HTTP/1.1 20",
    gets: "504 upstream-timeout",
  },
  {
    that: "says an endless head slowly",
    says: dribbles("HTTP/1.1 200 OK\r\nA: "),
    gets: "504 upstream-timeout",
  },
  {
    that: "gives hints and no answer",
    says: hints(1),
    gets: "103, 504 upstream-timeout",
  },
  { that: "says a head alone", says: ok("Content-Length: 5"), gets: TORN },
  {
    that: "says a length above what it has, and stays",
    says: `${ok("Content-Length: 10")}hello`,
    gets: TORN,
  },
  {
    that: "stays within a chunk",
    says: `${CHUNKED}a\r\nhello`,
    gets: TORN,
  },
  {
    that: "stays before its last line end",
    says: `${CHUNKED}5\r\nhello\r\n0\r\n`,
    gets: TORN,
    hides: /\r\n0\r\n/,
  },
  {
    that: "stays where its end would be that of the body",
    says: `${ok()}hello`,
    gets: TORN,
    hides: /\r\n0\r\n/,
  },
];
