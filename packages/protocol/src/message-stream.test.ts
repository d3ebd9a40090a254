// Control messages over byte streams that cut them anywhere.
import { Duplex, duplexPair } from "node:stream";
import fc from "fast-check";
import { expect, onTestFinished, test } from "vitest";
import { MAX_MESSAGE_BYTES } from "./limits.ts";
import { createMessageStream } from "./message-stream.ts";
import {
  encodeMessage,
  MessageError,
  parseClientMessage,
  parseEdgeMessage,
  type ClientMessage,
  type EdgeMessage,
} from "./messages.ts";

test("messages arrive in order, however the stream cuts them", () => {
  fc.assert(
    fc.property(
      fc.array(fc.string({ unit: "grapheme", maxLength: 40 }), {
        maxLength: 8,
      }),
      fc.integer({ min: 1, max: 9 }),
      (reasons, size) => {
        const { bytes, received, errors } = useReader();
        const all = Buffer.from(
          reasons
            .map((reason, id) =>
              encodeMessage({ t: "upstream", id, state: "down", reason }),
            )
            .join(""),
        );
        for (let i = 0; i < all.length; i += size)
          bytes(all.subarray(i, i + size));
        expect(errors).toEqual([]);
        expect(received.map((m) => (m as { id: number }).id)).toEqual(
          reasons.map((_, id) => id),
        );
      },
    ),
  );
});

test("both ends talk over one stream", async () => {
  const [left, right] = useStreams();
  const client = createMessageStream<EdgeMessage, ClientMessage>(
    left,
    parseEdgeMessage,
    (message) => answers.push(message),
    () => {},
  );
  const answers: EdgeMessage[] = [];
  const edge = createMessageStream<ClientMessage, EdgeMessage>(
    right,
    parseClientMessage,
    (message) => {
      if (message.t === "ping") edge.send({ t: "pong", n: message.n });
    },
    () => {},
  );
  expect(client.send({ t: "ping", n: 1 })).toBe(true);
  client.send({ t: "ping", n: 2 });
  await expect
    .poll(() => answers)
    .toEqual([
      { t: "pong", n: 1 },
      { t: "pong", n: 2 },
    ]);
});

test("a line of the greatest length is read, one byte more is refused", () => {
  const line = (length: number) =>
    `{"t":"ping","n":1${" ".repeat(length - 1 - '{"t":"ping","n":1}'.length)}}\n`;
  const longest = useReader();
  longest.bytes(Buffer.from(line(MAX_MESSAGE_BYTES)));
  expect(longest.received).toEqual([{ t: "ping", n: 1 }]);
  expect(longest.errors).toEqual([]);

  const tooLong = useReader();
  tooLong.bytes(Buffer.from(line(MAX_MESSAGE_BYTES + 1)));
  expect(tooLong.received).toEqual([]);
  expect(tooLong.errors).toEqual([expect.any(MessageError)]);
});

test("a line without an end is refused before it fills the memory", () => {
  const { bytes, errors } = useReader();
  for (let i = 0; i < MAX_MESSAGE_BYTES / 16; i++) {
    expect(errors).toEqual([]);
    bytes(Buffer.alloc(16, "x"));
  }
  expect(errors).toEqual([expect.any(MessageError)]);
});

test("nothing after a malformed line is handed on, and the error comes once", () => {
  const { bytes, received, errors } = useReader();
  bytes(
    Buffer.from('{"t":"ping","n":1}\nnonsense\n{"t":"ping","n":2}\nmore\n'),
  );
  bytes(Buffer.from('{"t":"ping","n":3}\n'));
  expect(received).toEqual([{ t: "ping", n: 1 }]);
  expect(errors).toHaveLength(1);
});

test("an error of whoever handles a message is not taken for a malformed line", () => {
  const [stream] = useStreams();
  const errors: unknown[] = [];
  createMessageStream<ClientMessage, EdgeMessage>(
    stream,
    parseClientMessage,
    () => {
      throw new MessageError("the answer is too long");
    },
    (error) => errors.push(error),
  );
  expect(() =>
    stream.emit("data", Buffer.from('{"t":"ping","n":1}\n')),
  ).toThrow("the answer is too long");
  expect(errors).toEqual([]);
});

test("nothing is handed on once the stream was destroyed", () => {
  const { stream, bytes, received } = useReader(() => stream.destroy());
  bytes(Buffer.from('{"t":"ping","n":1}\n{"t":"ping","n":2}\n'));
  bytes(Buffer.from('{"t":"ping","n":3}\n'));
  expect(received).toEqual([{ t: "ping", n: 1 }]);
});

test("sending says when the peer does not read, and is nothing after the close", () => {
  const stream = new Duplex({
    writableHighWaterMark: 32,
    read() {},
    write() {},
  });
  onTestFinished(() => void stream.destroy());
  const messages = createMessageStream<ClientMessage, EdgeMessage>(
    stream,
    parseClientMessage,
    () => {},
    () => {},
  );
  expect(messages.send({ t: "pong", n: 1 })).toBe(true);
  expect(messages.send({ t: "pong", n: 2 })).toBe(false);
  expect(messages.queuedBytes).toBe(2 * '{"t":"pong","n":1}\n'.length);
  stream.destroy();
  expect(messages.send({ t: "pong", n: 3 })).toBe(false);
});

function useStreams(): [Duplex, Duplex] {
  const pair = duplexPair();
  onTestFinished(() => pair.forEach((stream) => stream.destroy()));
  return pair;
}

function useReader(onMessage: () => void = () => {}) {
  const stream = new Duplex({ read() {}, write() {} });
  const received: ClientMessage[] = [];
  const errors: MessageError[] = [];
  createMessageStream<ClientMessage, EdgeMessage>(
    stream,
    parseClientMessage,
    (message) => {
      received.push(message);
      onMessage();
    },
    (error) => errors.push(error),
  );
  // Straight to the listener: a stream would join small chunks again.
  const bytes = (chunk: Buffer) => void stream.emit("data", chunk);
  return { stream, bytes, received, errors };
}
