// Requests that do not wait for the answers before them (RFC 9112 section 9.3.2): answers come in their order, each request
// is begun when the one before it is done, and what nobody may answer is not answered.
import { it } from "vitest";
import { describeIngress } from "../harness/worlds.ts";
import {
  get,
  gotten,
  head,
  ok,
  OTHERS,
  OURS,
  useConversations,
  type Row,
} from "./conversation.ts";

type Rows = readonly (readonly [name: string, row: Row])[];

const withBody = (method: string, path: string, ...more: string[]): string =>
  head(`${method} ${path} HTTP/1.1`, "Host: {host}", ...more);
const unknown = (path: string): string =>
  head(`GET ${path} HTTP/1.1`, "Host: other.localhost");
const CHUNKS = "5\r\nhello\r\n0\r\n\r\n";

const order: Rows = [
  [
    "three in one write are answered in their order",
    {
      sends: get("/1") + get("/2") + get("/3"),
      arrives: gotten("/1") + gotten("/2") + gotten("/3"),
      gets: ["200 /1", "200 /2", "200 /3"],
      upstreamAfter: "kept",
    },
  ],
  [
    "two that come while the first is being answered wait for it",
    {
      sends: [get("/1"), OTHERS, get("/2") + get("/3")],
      upstream: [
        /^GET \/1 [^]*\r\n\r\n$/,
        OTHERS,
        OTHERS,
        /^GET \/1 (?:[^\r]+\r\n)+\r\n$/,
        ok("first"),
        /GET \/2 (?:[^\r]+\r\n)+\r\n$/,
        OTHERS,
        ok("second"),
        /GET \/3 (?:[^\r]+\r\n)+\r\n$/,
        ok("third"),
      ],
      arrives: gotten("/1") + gotten("/2") + gotten("/3"),
      gets: ["200 first", "200 second", "200 third"],
    },
  ],
  [
    "one that comes in pieces behind another is answered in its turn",
    {
      sends: [
        get("/1") + get("/2").slice(0, 9),
        OTHERS,
        get("/2").slice(9, -1),
        OTHERS,
        "\n",
      ],
      arrives: gotten("/1") + gotten("/2"),
      gets: ["200 /1", "200 /2"],
    },
  ],
  [
    "a GET behind a POST is begun when the POST is answered",
    {
      sends: `${withBody("POST", "/1", "Content-Length: 5")}hello${get("/2")}`,
      upstream: [
        /hello$/,
        OTHERS,
        OTHERS,
        // Still nothing behind it.
        /hello$/,
        ok("first"),
        /hello(?:[^\r]+\r\n)+\r\n$/,
        ok("second"),
      ],
      arrives: `${withBody("POST", "/1", "Content-Length: 5", OURS)}hello${gotten("/2")}`,
      gets: ["200 first", "200 second"],
    },
  ],
  ...["GET", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "PURGE"].flatMap(
    (method): Rows => [
      [
        `behind the body of a ${method} with a length comes the next request`,
        {
          sends: `${withBody(method, "/1", "Content-Length: 5")}hello${get("/2")}`,
          arrives: `${withBody(method, "/1", "Content-Length: 5", OURS)}hello${gotten("/2")}`,
          gets: ["200 /1", "200 /2"],
        },
      ],
      [
        `behind the chunks of a ${method} comes the next request`,
        {
          sends: `${withBody(method, "/1", "Transfer-Encoding: chunked")}${CHUNKS}${get("/2")}`,
          arrives: `${withBody(method, "/1", "Transfer-Encoding: chunked", OURS)}${CHUNKS}${gotten("/2")}`,
          gets: ["200 /1", "200 /2"],
        },
      ],
    ],
  ),
  [
    "a HEAD between two others has no body",
    {
      sends: get("/1") + get("/2").replace("GET", "HEAD") + get("/3"),
      arrives:
        gotten("/1") + gotten("/2").replace("GET", "HEAD") + gotten("/3"),
      gets: ["200 /1", "200 none", "200 /3"],
    },
  ],
  [
    "answers of all framings follow one another",
    {
      sends: ["/chunked", "/204", "/304", "/hint", "/end"]
        .map((path) => get(path))
        .join(""),
      upstream: ({ target }) =>
        ({
          "/chunked": `${head("HTTP/1.1 200 OK", "Transfer-Encoding: chunked")}${CHUNKS}`,
          "/204": head("HTTP/1.1 204 No Content"),
          "/304": head("HTTP/1.1 304 Not Modified", "Content-Length: 7"),
          "/hint": head("HTTP/1.1 103 Early Hints", "Link: </a>") + ok("hint"),
          "/end": ok("end"),
        })[target]!,
      arrives: ["/chunked", "/204", "/304", "/hint", "/end"]
        .map((path) => gotten(path))
        .join(""),
      gets: [
        ...["200 chunked hello", "204 none", "304 none"],
        ...["103", "200 hint", "200 end"],
      ],
    },
  ],
  [
    "empty lines before a request mean nothing (RFC 9112 section 2.2)",
    {
      sends: `\r\n${get("/1")}\r\n\r\n${get("/2")}`,
      arrives: gotten("/1") + gotten("/2"),
      gets: ["200 /1", "200 /2"],
    },
  ],
  [
    "an empty line behind a body belongs to nothing",
    {
      sends: `${withBody("POST", "/1", "Content-Length: 5")}hello\r\n${get("/2")}`,
      arrives: `${withBody("POST", "/1", "Content-Length: 5", OURS)}hello${gotten("/2")}`,
      gets: ["200 /1", "200 /2"],
    },
  ],
  [
    "a request in HTTP/1.0 that keeps its connection is followed by the next",
    {
      sends:
        head("GET /1 HTTP/1.0", "Host: {host}", "Connection: keep-alive") +
        get("/2"),
      arrives: gotten("/1") + gotten("/2"),
      gets: ["200 /1", "200 /2"],
    },
  ],
];

const errors: Rows = [
  [
    "one for nobody's name in the middle gets its own answer in its turn",
    {
      sends: get("/1") + unknown("/2") + get("/3"),
      arrives: gotten("/1") + gotten("/3"),
      gets: ["200 /1", "404 tunnel-unknown", "200 /3"],
    },
  ],
  [
    "three for nobody's name are answered in their order before the tunnel's",
    {
      sends: unknown("/1") + unknown("/2") + unknown("/3") + get("/4"),
      arrives: gotten("/4"),
      gets: [...Array<string>(3).fill("404 tunnel-unknown"), "200 /4"],
    },
  ],
  [
    "a body for nobody's name is read to its end, and is no request",
    {
      sends: `${head("POST /1 HTTP/1.1", "Host: other.localhost", `Content-Length: ${"GET /a HTTP/1.1\r\n\r\n".length}`)}GET /a HTTP/1.1\r\n\r\n${get("/2")}`,
      arrives: gotten("/2"),
      gets: ["404 tunnel-unknown", "200 /2"],
    },
  ],
  [
    "one that the upstream hangs up on gets 502, and the next is answered",
    {
      sends:
        get("/1") + withBody("POST", "/2", "Content-Length: 0") + get("/3"),
      upstream: ({ target }) => (target === "/2" ? "" : ok(target)),
      arrives:
        gotten("/1") +
        withBody("POST", "/2", "Content-Length: 0", OURS) +
        gotten("/3"),
      gets: ["200 /1", "502 upstream-closed", "200 /3"],
    },
  ],
  [
    "one that is answered with nonsense gets 502, and the next is answered",
    {
      sends: get("/1") + get("/2") + get("/3"),
      upstream: ({ target }) =>
        target === "/2" ? "NONSENSE\r\n\r\n" : ok(target),
      arrives: gotten("/1") + gotten("/2") + gotten("/3"),
      gets: ["200 /1", "502 upstream-invalid", "200 /3"],
    },
  ],
  [
    "behind one with two Hosts nothing is answered",
    {
      sends: get("/1") + get("/2", "Host: {host}") + get("/3"),
      arrives: gotten("/1"),
      gets: ["200 /1", "400 host-invalid"],
      after: "closed",
    },
  ],
  [
    "behind one with an unknown coding nothing is answered",
    {
      sends:
        get("/1") +
        withBody("POST", "/2", "Transfer-Encoding: xchunked") +
        get("/3"),
      arrives: gotten("/1"),
      gets: ["200 /1", "400 request-invalid"],
      after: "closed",
    },
  ],
  ...(
    [
      ["that is no request", "NONSENSE\r\n\r\n"],
      [
        "with two framings",
        `${withBody("POST", "/2", "Content-Length: 5", "Transfer-Encoding: chunked")}0\r\n\r\n`,
      ],
      ["with a bare LF", get("/2").replaceAll("\r\n", "\n")],
    ] as const
  ).map(
    ([name, text]) =>
      [
        `behind one ${name} nothing is answered, but what stands before it is`,
        {
          sends: get("/1") + text + get("/3"),
          arrives: gotten("/1"),
          gets: ["200 /1"],
          after: "closed",
        },
      ] as const,
  ),
];

const ends: Rows = [
  ...[get("/2"), "NONSENSE\r\n\r\n", "\0"].map(
    (rest, i) =>
      [
        `nothing behind Connection: close is answered (${["a request", "nonsense", "NUL"][i]})`,
        {
          sends: get("/1", "Connection: close") + rest,
          arrives: gotten("/1"),
          gets: ["200 /1"],
          after: "closed",
        },
      ] as const,
  ),
  [
    "nothing behind Connection: close in the middle is answered",
    {
      sends: get("/1") + get("/2", "Connection: close") + get("/3"),
      arrives: gotten("/1") + gotten("/2"),
      gets: ["200 /1", "200 /2"],
      after: "closed",
    },
  ],
  [
    "nothing behind the body of a request with Connection: close is answered",
    {
      sends: `${withBody("POST", "/1", "Connection: close", "Content-Length: 5")}hello${get("/2")}`,
      arrives: `${withBody("POST", "/1", "Content-Length: 5", OURS)}hello`,
      gets: ["200 /1"],
      after: "closed",
    },
  ],
  [
    "nothing behind a request in HTTP/1.0 is answered",
    {
      sends: head("GET /1 HTTP/1.0", "Host: {host}") + get("/2"),
      arrives: gotten("/1"),
      gets: ["200 /1"],
      after: "closed",
    },
  ],
];

const many: Rows = [
  [
    "sixty in one write are answered in their order",
    {
      sends: numbers(60)
        .map((i) => get(`/${i}`))
        .join(""),
      arrives: numbers(60)
        .map((i) => gotten(`/${i}`))
        .join(""),
      gets: numbers(60).map((i) => `200 /${i}`),
    },
  ],
  [
    "a hundred in one write are answered in their order",
    {
      sends: numbers(100)
        .map((i) => get(`/${i}`))
        .join(""),
      arrives: numbers(100)
        .map((i) => gotten(`/${i}`))
        .join(""),
      gets: numbers(100).map((i) => `200 /${i}`),
    },
  ],
];

function numbers(count: number): number[] {
  return Array.from({ length: count }, (_, i) => i);
}

describeIngress("pipelined requests", (ingress) => {
  const { play } = useConversations(ingress);
  it.each([...order, ...errors, ...ends, ...many])("%s", (_, row) => play(row));
});
