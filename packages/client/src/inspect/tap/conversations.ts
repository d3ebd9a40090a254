// Conversations between visitors and services, one for each way in which HTTP/1.1 tells where a message ends.
import type { Step } from "./use-tap.ts";

const GET = (path = "/") => `GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`;
const OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/** Conversations by what they are about. All are whole. */
export const conversations: Readonly<Record<string, readonly Step[]>> = {
  "a body of known length both ways": [
    [
      "visitor",
      "POST /a?b=c HTTP/1.1\r\nHost: a\r\nContent-Length: 12\r\n\r\nhello\r\n\r\nyou",
    ],
    [
      "upstream",
      "HTTP/1.1 201 Made it\r\nSet-Cookie: a=1\r\nset-cookie:  b=2\t \r\nX-Empty:\r\nContent-Length: 3\r\n\r\n\0\xff\n",
    ],
  ],
  "keep-alive": [
    ["visitor", GET("/1")],
    ["upstream", OK],
    ["visitor", GET("/2")],
    ["upstream", "HTTP/1.1 304 Not Modified\r\nContent-Length: 100\r\n\r\n"],
    ["visitor", GET("/3")],
    ["upstream", "HTTP/1.1 204 No Content\r\n\r\n"],
    ["visitor", GET("/4")],
    ["upstream", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"],
  ],
  pipelining: [
    [
      "visitor",
      GET("/1") +
        "PUT /2 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc" +
        GET("/3"),
    ],
    ["upstream", OK + OK + "HTTP/1.1 404 Nope\r\nContent-Length: 1\r\n\r\nx"],
  ],
  "chunked bodies with extensions and trailers": [
    [
      "visitor",
      "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n5;a=b\r\nhello\r\n6\r\n world\r\n0\r\nX-Sum: 7\r\nX-Two: 8\r\n\r\n",
    ],
    [
      "upstream",
      "HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, Chunked\r\n\r\nA\r\n0123456789\r\n0\r\n\r\n",
    ],
    ["visitor", GET("/next")],
    ["upstream", OK],
  ],
  "responses before the response": [
    [
      "visitor",
      "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n",
    ],
    ["upstream", "HTTP/1.1 100 Continue\r\n\r\n"],
    ["visitor", "hi"],
    [
      "upstream",
      "HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\n\r\n" + OK,
    ],
    ["visitor", GET("/after")],
    ["upstream", OK],
  ],
  "HEAD, and what follows it": [
    ["visitor", "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n"],
    ["upstream", "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"],
    ["visitor", "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n"],
    ["upstream", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"],
    ["visitor", GET()],
    ["upstream", OK],
  ],
  "a body that lasts until the connection ends": [
    ["visitor", GET("/close")],
    [
      "upstream",
      "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nall of\r\n\r\nit",
    ],
  ],
  "HTTP/1.0": [
    ["visitor", "GET /old HTTP/1.0\r\n\r\n"],
    ["upstream", "HTTP/1.0 200 OK\r\nServer: old\r\n\r\nHTTP/1.1 200 fake"],
  ],
  "an answer that comes before its request is over": [
    ["visitor", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nab"],
    ["upstream", "HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n"],
    ["visitor", "cd"],
    ["visitor", GET("/on")],
    ["upstream", OK],
  ],
  "an upgrade that is refused": [
    [
      "visitor",
      "GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n" +
        GET("/behind"),
    ],
    ["upstream", "HTTP/1.1 400 No\r\nContent-Length: 2\r\n\r\nno"],
    ["upstream", OK],
  ],
  "another protocol after an upgrade": [
    [
      "visitor",
      "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: chat/2\r\n\r\n",
    ],
    [
      "upstream",
      "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: chat/2\r\n\r\nhello from it",
    ],
    ["visitor", "GET / HTTP/1.1\r\n\r\n is what I say"],
  ],
  "a CONNECT": [
    ["visitor", "CONNECT db:5432 HTTP/1.1\r\nHost: db:5432\r\n\r\n"],
    ["upstream", "HTTP/1.1 200 Connected\r\n\r\nbanner"],
    ["visitor", "\0\0\0\x08"],
  ],
  "an empty line before a request": [
    ["visitor", GET("/1")],
    ["upstream", OK],
    ["visitor", "\r\n" + GET("/2")],
    ["upstream", OK],
  ],
};
