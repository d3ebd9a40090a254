// What the tap makes of the bytes of a connection.
import { expect, test } from "vitest";
import { exchangesOf, play } from "./use-tap.ts";

const text = (chunks: readonly Buffer[]): string =>
  Buffer.concat(chunks).toString("latin1");

test("a request and its response become an exchange", () => {
  const sink = play([
    [
      "visitor",
      "POST /a?b=c HTTP/1.1\r\nHost: shop.example.com\r\nX-Forwarded-For: 1.1.1.1, 2.2.2.2\r\nContent-Type: text/plain\r\ncontent-length: 5\r\n\r\nhello",
    ],
    [
      "upstream",
      "HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nSet-Cookie: a\r\nset-cookie: b \r\nContent-Length: 2\r\n\r\n{}",
    ],
  ]);
  const [exchange] = exchangesOf(sink);
  expect(exchange).toMatchObject({
    tunnel: "shop",
    kind: "http",
    state: "complete",
    method: "POST",
    target: "/a?b=c",
    host: "shop.example.com",
    status: 201,
    requestBytes: 5,
    responseBytes: 2,
    requestType: "text/plain",
    responseType: "application/json",
    visitor: "2.2.2.2",
    request: { version: "1.1", body: { framing: "length", keptBytes: 5 } },
    response: {
      reason: "Created",
      headers: [
        ["Content-Type", "application/json"],
        ["Set-Cookie", "a"],
        ["set-cookie", "b"],
        ["Content-Length", "2"],
      ],
    },
  });
  expect(text(sink.captures[0]!.requestBody)).toBe("hello");
  expect(text(sink.captures[0]!.responseBody)).toBe("{}");
  expect(sink.finishedIds).toHaveLength(1);
});
