// Makes malformed requests out of well-formed ones, the same ones for the same seed.

/** A small generator of random numbers (mulberry32) that gives the same ones everywhere. */
export function createRandom(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((((t ^ (t >>> 14)) >>> 0) / 2 ** 32) * below) | 0;
  };
}

const METHODS = [
  "GET",
  "POST",
  "PUT",
  "PATCH",
  "DELETE",
  "OPTIONS",
  "HEAD",
  "TRACE",
  "CONNECT",
  "PROPFIND",
  "get",
];

const FRAMINGS = [
  "",
  "Content-Length: 5\r\n",
  "Transfer-Encoding: chunked\r\n",
  "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
  "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
  "Content-Length: 5\r\nContent-Length: 5\r\n",
  "Content-Length: 5\r\nContent-Length: 6\r\n",
  "Content-Length: 5, 5\r\n",
  "Content-Length: +5\r\n",
  "Content-Length: 0x5\r\n",
  "Content-Length: 5 \r\n",
  "Content-Length: -1\r\n",
  "Content-Length: 99999999999999999999\r\n",
  "Content-Length:\r\n",
  "Transfer-Encoding: identity\r\n",
  "Transfer-Encoding: gzip, chunked\r\n",
  "Transfer-Encoding: chunked, identity\r\n",
  "Transfer-Encoding: xchunked\r\n",
  "Transfer-Encoding: Chunked\r\n",
  "Transfer-Encoding:\tchunked\r\n",
  "Transfer-Encoding : chunked\r\n",
  " Transfer-Encoding: chunked\r\n",
  "Transfer-Encoding\r\n : chunked\r\n",
  "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
  "Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n",
  "X: y\r\n Transfer-Encoding: chunked\r\n",
  "Transfer-Encoding:\r\n chunked\r\n",
  "Transfer_Encoding: chunked\r\n",
  "Content_Length: 5\r\n",
  "Connection: Content-Length\r\nContent-Length: 5\r\n",
  "Connection: Transfer-Encoding\r\nTransfer-Encoding: chunked\r\n",
  "Connection: Host\r\nContent-Length: 5\r\n",
  "Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAMAAABk\r\nContent-Length: 5\r\n",
  "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nContent-Length: 5\r\n",
  "Upgrade: websocket\r\nConnection: Upgrade\r\n",
  "Expect: 100-continue\r\nContent-Length: 5\r\n",
  "Expect: 200-ok\r\nContent-Length: 5\r\n",
  "Trailer: X-Mark\r\nTransfer-Encoding: chunked\r\n",
  "TE: trailers, chunked\r\nTransfer-Encoding: chunked\r\n",
];

const BODIES = [
  "",
  "hello",
  "5\r\nhello\r\n0\r\n\r\n",
  "5;ext=1\r\nhello\r\n0\r\n\r\n",
  "5\r\nhello\r\n0\r\nX-Mark: trailer\r\n\r\n",
  "5\nhello\n0\n\n",
  "0x5\r\nhello\r\n0\r\n\r\n",
  "5 \r\nhello\r\n0\r\n\r\n",
  "05\r\nhello\r\n00\r\n\r\n",
  "-5\r\nhello\r\n0\r\n\r\n",
  "FFFFFFFFFFFFFFFFF\r\nhello\r\n0\r\n\r\n",
  "5\r\nhelloX\r\n0\r\n\r\n",
  "0\r\n\r\n",
  "0\r\n",
  "0\r\n\r\nX",
];

const VERSIONS = [
  "HTTP/1.1",
  "HTTP/1.1",
  "HTTP/1.1",
  "HTTP/1.0",
  "HTTP/1.2",
  "HTTP/2.0",
  "http/1.1",
  "HTTP/1.1 ",
  "",
];

const TARGETS = [
  "/",
  "/a//b",
  "/%2F..%2f",
  "/a/../b",
  "*",
  "http://{host}/abs",
  "http://other.test/abs",
  "//{host}/x",
  "/\u00e9",
  "/a b",
  "/?token=1#f",
  "{host}:80",
];

/**
 * The request number `index` of a seed: a well-formed one, one with odd framing, or one with bytes changed; with a second
 * request behind it that must never be taken for part of the first, or the other way round.
 *
 * @param host the Host that leads to the tunnel
 * @returns what to send at once, and what to send then; for every other number both at once
 */
export function mutatedRequest(
  seed: number,
  index: number,
  host: string,
): Buffer[] {
  const random = createRandom(seed * 1_000_003 + index);
  const pick = <T>(list: readonly T[]): T => list[random(list.length)]!;
  const token = `m${seed}-${index}`;
  const head =
    `${pick(METHODS)} ${pick(TARGETS).replace("{host}", host)} ${pick(VERSIONS)}\r\n` +
    (random(20)
      ? `Host: ${host}\r\n`
      : pick([
          "",
          `Host: ${host}\r\nHost: ${host}\r\n`,
          `host: x@${host}\r\n`,
          `Host: ${host}.\r\n`,
          `Host: other.test\r\n`,
        ])) +
    `X-Mark: ${token}-a\r\n` +
    pick(FRAMINGS) +
    (random(4) ? "" : "Connection: close\r\n") +
    "\r\n";
  const second = `${pick(METHODS.slice(0, 7))} /second HTTP/1.1\r\nHost: ${host}\r\nX-Mark: ${token}-b\r\nConnection: close\r\n\r\n`;
  const first = head + pick(BODIES);
  const apart = index % 2 === 1;
  let bytes: Buffer = Buffer.from(apart ? first : first + second, "latin1");
  for (let changes = random(4); changes > 0; changes--)
    bytes = mutate(bytes, random);
  return apart ? [bytes, Buffer.from(second, "latin1")] : [bytes];
}

/**
 * Each framing with each body, seven methods and both versions, none of them changed further; once with a second request
 * at once, and once with that one later.
 */
export function* allFramings(host: string): Generator<Buffer[]> {
  let count = 0;
  for (const framing of FRAMINGS)
    for (const body of BODIES)
      for (const method of METHODS.slice(0, 7))
        for (const version of ["1.1", "1.0"]) {
          const payload = (mark: string): [Buffer, Buffer] => [
            Buffer.from(
              `${method} /${mark} HTTP/${version}\r\nHost: ${host}\r\nX-Mark: ${mark}\r\n${framing}\r\n${body}`,
              "latin1",
            ),
            Buffer.from(
              `GET /second HTTP/1.1\r\nHost: ${host}\r\nX-Mark: ${mark}-b\r\nConnection: close\r\n\r\n`,
              "latin1",
            ),
          ];
          yield [Buffer.concat(payload(`f-${count++}`))];
          yield payload(`f-${count++}`);
        }
}

// Bytes that parsers have been known to disagree about.
const SUSPECTS = [
  0x00, 0x09, 0x0a, 0x0b, 0x0c, 0x0d, 0x1f, 0x20, 0x22, 0x2c, 0x3a, 0x3b, 0x5c,
  0x7f, 0x80, 0x85, 0xa0, 0xff,
];

function mutate(bytes: Buffer, random: (below: number) => number): Buffer {
  const at = random(bytes.length);
  const suspect = Buffer.from([SUSPECTS[random(SUSPECTS.length)]!]);
  const before = bytes.subarray(0, at);
  switch (random(9)) {
    case 0: // insert
      return Buffer.concat([before, suspect, bytes.subarray(at)]);
    case 1: // replace
      return Buffer.concat([before, suspect, bytes.subarray(at + 1)]);
    case 2: // drop
      return Buffer.concat([before, bytes.subarray(at + 1)]);
    case 3: // cut short
      return Buffer.from(before);
    case 4: {
      // a line twice
      const [from, to] = lineAround(bytes, at);
      return Buffer.concat([bytes.subarray(0, to), bytes.subarray(from)]);
    }
    case 5: {
      // a line away
      const [from, to] = lineAround(bytes, at);
      return Buffer.concat([bytes.subarray(0, from), bytes.subarray(to)]);
    }
    case 6: {
      // another line end
      const [, to] = lineAround(bytes, at);
      const ends = ["\n", "\r", "\r\r\n", "\r\n ", "\n\r", ""];
      return Buffer.concat([
        bytes.subarray(0, Math.max(0, to - 2)),
        Buffer.from(ends[random(ends.length)]!),
        bytes.subarray(to),
      ]);
    }
    case 7: {
      // white space around a colon
      const colon = bytes.indexOf(":", at);
      if (colon < 0) return bytes;
      const spaces = [" :", "\t:", ":\t", ":", "::", ":\u000b"];
      return Buffer.concat([
        bytes.subarray(0, colon),
        Buffer.from(spaces[random(spaces.length)]!),
        bytes.subarray(colon + 1),
      ]);
    }
    default: // upper and lower case
      return Buffer.concat([
        before,
        Buffer.from(
          bytes.toString("latin1", at, at + 8).toUpperCase(),
          "latin1",
        ),
        bytes.subarray(at + 8),
      ]);
  }
}

function lineAround(bytes: Buffer, at: number): [from: number, to: number] {
  const before = bytes.lastIndexOf("\r\n", Math.max(0, at - 1));
  const from = before < 0 ? 0 : before + 2;
  const end = bytes.indexOf("\r\n", from);
  return [from, end < 0 ? bytes.length : end + 2];
}
