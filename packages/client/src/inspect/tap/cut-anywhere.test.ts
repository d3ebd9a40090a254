// Wherever a stream is cut into chunks, the same comes out of it; and whatever it holds, nothing is thrown.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { conversations } from "./conversations.ts";
import { outcome, play, useTap } from "./use-tap.ts";

const byByte = (bytes: Buffer): Buffer[] =>
  Array.from(bytes, (byte) => Buffer.from([byte]));
const at = (index: number) => (bytes: Buffer) => [
  Buffer.from(bytes.subarray(0, index)),
  Buffer.from(bytes.subarray(index)),
];

describe.each(Object.entries(conversations))("%s", (name, steps) => {
  const whole = outcome(play(steps));

  test("is captured whole", () => {
    // One for each request; what follows an upgrade is none, whatever it looks like.
    const said = steps.filter(([from]) => from === "visitor").map(String);
    const requests = said.join("").match(/ HTTP\/1\.[01]\r\n/g)!.length;
    expect(whole).toHaveLength(name.startsWith("another") ? 1 : requests);
    for (const each of whole)
      expect(each).toMatchObject({ state: "complete", finished: true });
  });

  test("is the same byte by byte", () => {
    expect(outcome(play(steps, { cut: byByte }))).toEqual(whole);
  });

  test("is the same when every step is cut at any one byte", () => {
    const longest = Math.max(...steps.map(([, text]) => text.length));
    for (let index = 1; index < longest; index++)
      expect(outcome(play(steps, { cut: at(index) }))).toEqual(whole);
  });

  // What is not captured is followed by something simpler than the parser: it has to find the same ends.
  test("is the same for what is captured among what is not", () => {
    fc.assert(
      fc.property(
        fc.infiniteStream(fc.boolean()),
        fc.integer({ min: 1, max: 40 }),
        (admitted, size) => {
          const pattern: boolean[] = [];
          const sink = play(steps, {
            admit: () => {
              const next = admitted.next().value;
              pattern.push(next);
              return next;
            },
            cut: (bytes) => inPieces(bytes, size),
          });
          // One that was lost would not have asked.
          expect(pattern).toHaveLength(whole.length);
          expect(outcome(sink)).toEqual(
            whole.filter((_each, index) => pattern[index]),
          );
          expect(sink.missedCount).toBe(
            pattern.filter((isAdmitted) => !isAdmitted).length,
          );
        },
      ),
      { numRuns: 60 },
    );
  });
});

function inPieces(bytes: Buffer, size: number): Buffer[] {
  const pieces: Buffer[] = [];
  for (let from = 0; from < bytes.length; from += size)
    pieces.push(Buffer.from(bytes.subarray(from, from + size)));
  return pieces;
}

test("nothing that passes makes it throw", () => {
  const line = fc.constantFrom(
    ...["GET / HTTP/1.1\r\n", "HTTP/1.1 200 OK\r\n", "\r\n", "Host: a\r\n"],
    ...["Content-Length: 5\r\n", "Transfer-Encoding: chunked\r\n", "5\r\n"],
    ...["0\r\n\r\n", "HTTP/1.1 101 X\r\n", "Upgrade: websocket\r\n", "HTTP/9"],
    ...["Connection: upgrade\r\n", "Content-Type: text/event-stream\r\n"],
    ...["Sec-WebSocket-Extensions: permessage-deflate\r\n", "data: x\n\n"],
    ...["Content-Length: -1\r\n", "Content-Length: 99999999999999999999\r\n"],
    ...["\x81\x85abcdhello", "\xc1\x7f\xff", "CONNECT a HTTP/1.1\r\n", "hello"],
  );
  const garbage = fc
    .uint8Array({ maxLength: 40 })
    .map((bytes) => Buffer.from(bytes).toString("latin1"));
  const chunk = fc.tuple(
    fc.boolean(),
    fc.array(fc.oneof({ weight: 6, arbitrary: line }, garbage)),
  );
  fc.assert(
    fc.property(fc.array(chunk), fc.boolean(), (chunks, admit) => {
      const { tap, sink, context } = useTap({ admit: () => admit });
      for (const [visitor, parts] of chunks) {
        const bytes = Buffer.from(parts.join(""), "latin1");
        if (visitor) tap.fromVisitor(bytes);
        else tap.fromUpstream(bytes);
      }
      tap.upstreamEnded();
      tap.closed();
      for (const capture of sink.captures)
        expect(capture.exchange().state).not.toBe("open");
      expect(sink.finishedIds).toHaveLength(sink.captures.length);
      // Memory is given back with the last exchange.
      expect(context.kept.held).toBe(0);
    }),
    { numRuns: 1_000 },
  );
});
