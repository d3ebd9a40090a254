// What stands before an answer, and answers without a body: 100 Continue, early hints and other interim answers (RFC 9110
// sections 10.1.1 and 15.2, RFC 8297), HEAD, 204 and 304 (RFC 9112 section 6.3), and what of all that a visitor who speaks
// HTTP/1.0 may get.
import { it } from "vitest";
import { describeIngress } from "../harness/worlds.ts";
import {
  END,
  get,
  gotten,
  head,
  ok,
  OTHERS,
  OURS,
  type Step,
  useConversations,
  type Row,
} from "./conversation.ts";

type Rows = readonly (readonly [name: string, row: Row])[];

const CONTINUE = head("HTTP/1.1 100 Continue");
const KEPT = ["Connection: keep-alive", "Keep-Alive: timeout=65"];
const HEAD_ALONE = /^(?:[^\r]+\r\n)+\r\n$/;

const post = (...fields: readonly string[]): string =>
  head("POST /a HTTP/1.1", "Host: {host}", ...fields);
const EXPECTING = post("Expect: 100-continue", "Content-Length: 5");
const EXPECTED = post("Expect: 100-continue", "Content-Length: 5", OURS);

/** The upstream asks for the body; nothing of it was there before. */
const asks: readonly Step[] = [HEAD_ALONE, OTHERS, HEAD_ALONE, CONTINUE];

/** Expect: 100-continue, and what else may be expected. */
const expectations: Rows = [
  [
    "a body is sent when the upstream has asked for it, and not before",
    {
      sends: [EXPECTING, /100 Continue\r\n\r\n$/, "hello"],
      upstream: [...asks, /hello$/, ok("a")],
      arrives: `${EXPECTED}hello`,
      gets: [CONTINUE, "200 a"],
      upstreamAfter: "kept",
    },
  ],
  [
    "a body that nobody has asked for yet waits until the upstream asks",
    {
      sends: `${EXPECTING}hello`,
      upstream: [...asks, /hello$/, ok("a")],
      arrives: `${EXPECTED}hello`,
      gets: [CONTINUE, "200 a"],
      upstreamAfter: "kept",
    },
  ],
  [
    "chunks are sent when the upstream has asked for them",
    {
      sends: [
        post("Expect: 100-continue", "Transfer-Encoding: chunked"),
        /100 Continue\r\n\r\n$/,
        "5\r\nhello\r\n0\r\n\r\n",
      ],
      upstream: [...asks, /hello\r\n0\r\n\r\n$/, ok("a")],
      arrives: `${post("Expect: 100-continue", "Transfer-Encoding: chunked", OURS)}5\r\nhello\r\n0\r\n\r\n`,
      gets: [CONTINUE, "200 a"],
      upstreamAfter: "kept",
    },
  ],
  [
    "the edge asks for a body that the upstream waits for in silence",
    {
      sends: [EXPECTING, /100 Continue\r\n\r\n$/, "hello"],
      upstream: [/hello$/, ok("a")],
      arrives: `${EXPECTED}hello`,
      gets: [CONTINUE, "200 a"],
      upstreamAfter: "kept",
    },
  ],
  [
    "an upstream that answers at once is not sent the body, nor another request on that connection",
    {
      sends: [EXPECTING, /\r\n\r\nno$/, "hello"],
      upstream: [
        HEAD_ALONE,
        `${head("HTTP/1.1 401 No", "Content-Length: 2")}no`,
      ],
      arrives: EXPECTED,
      gets: ["401 no"],
      // Whether the visitor still sends the body is anybody's guess.
      after: "closed",
      upstreamAfter: "dropped",
    },
  ],
  [
    "an upstream that answers at once is not sent a body that came early",
    {
      sends: `${EXPECTING}hello`,
      upstream: [
        HEAD_ALONE,
        `${head("HTTP/1.1 401 No", "Content-Length: 2")}no`,
      ],
      arrives: EXPECTED,
      gets: ["401 no"],
      after: "closed",
      upstreamAfter: "dropped",
    },
  ],
  [
    "an upstream that asks twice is heard once",
    {
      sends: [EXPECTING, /100 Continue\r\n\r\n$/, "hello"],
      upstream: [...asks, CONTINUE, /hello$/, CONTINUE + ok("a")],
      arrives: `${EXPECTED}hello`,
      gets: [CONTINUE, "200 a"],
    },
  ],
  [
    "an upstream that asks a visitor who waits for nothing is not heard",
    {
      sends: `${post("Content-Length: 5")}hello`,
      upstream: [/hello$/, CONTINUE + ok("a")],
      arrives: `${post("Content-Length: 5", OURS)}hello`,
      gets: ["200 a"],
      upstreamAfter: "kept",
    },
  ],
  [
    "an upstream that asks and then ends is answered for",
    {
      sends: [EXPECTING, /100 Continue\r\n\r\n$/, "hello"],
      upstream: [...asks, /hello$/, END],
      arrives: `${EXPECTED}hello`,
      gets: [CONTINUE, "502 upstream-closed"],
      upstreamAfter: "dropped",
    },
  ],
  [
    "the expectation may be written in any case",
    {
      sends: [
        post("eXPECT:  100-Continue ", "Content-Length: 5"),
        /100 Continue\r\n\r\n$/,
        "hello",
      ],
      upstream: [...asks, /hello$/, ok("a")],
      arrives: `${post("eXPECT: 100-continue", "Content-Length: 5", OURS)}hello`,
      gets: [CONTINUE, "200 a"],
    },
  ],
  [
    "the expectation cannot be named away by Connection",
    {
      sends: [
        post("Connection: Expect", "Expect: 100-continue", "Content-Length: 5"),
        /100 Continue\r\n\r\n$/,
        "hello",
      ],
      upstream: [...asks, /hello$/, ok("a")],
      arrives: `${EXPECTED}hello`,
      gets: [CONTINUE, "200 a"],
    },
  ],
  [
    "who asks behind another request waits for that one's answer first",
    {
      sends: [get("/first") + EXPECTING, /100 Continue\r\n\r\n$/, "hello"],
      upstream: [
        HEAD_ALONE,
        OTHERS,
        HEAD_ALONE,
        ok("first"),
        /Expect: 100-continue\r\n(?:[^\r]+\r\n)+\r\n$/,
        CONTINUE,
        /hello$/,
        ok("a"),
      ],
      arrives: `${gotten("/first")}${EXPECTED}hello`,
      gets: ["200 first", CONTINUE, "200 a"],
    },
  ],
  [
    "who expects something of nobody's name is told so, and asked for nothing",
    {
      sends: [
        EXPECTING.replace("{host}", "other.localhost"),
        /404 Not Found/,
        "hello",
      ],
      arrives: "",
      gets: ["404 tunnel-unknown"],
      after: "closed",
    },
  ],
  ...(
    [
      ["a GET without a body", get("/a", "Expect: 100-continue"), gotten("/a")],
      [
        "a POST of no bytes",
        post("Expect: 100-continue", "Content-Length: 0"),
        post("Content-Length: 0", OURS),
      ],
    ] as const
  ).map(
    ([name, sends, arrives]) =>
      [
        `${name} has nothing to be asked for, and is the last`,
        { sends, arrives, gets: ["200 /a"], after: "closed" },
      ] as const,
  ),
  ...[
    ["Expect: 200-ok"],
    ["Expect: 100-continue=x"],
    ["Expect: 100-continue, 200-ok"],
    ["Expect: 100-continue", "Expect: 200-ok"],
    ["Expect: 200-ok", "Expect: 100-continue"],
    ["Expect: 100-continue", "Expect: 100-continue"],
    ["Expect: 100"],
    ["Expect:"],
  ].map(
    (fields) =>
      [
        `${fields.join(" and ")} cannot be met`,
        {
          sends: `${post(...fields, "Content-Length: 5")}hello`,
          arrives: "",
          gets: ["417 request-invalid"],
          after: "closed",
        },
      ] as const,
  ),
];

const HINT = head(
  ...["HTTP/1.1 103 Early Hints", "Link: </a>; rel=preload", "link: </b>"],
);

/** The same request once in the quick lane and once through Node's parser. */
const bothWays = (
  name: string,
  row: Pick<Row, "upstream" | "gets" | "upstreamAfter">,
  method = "GET",
): Rows =>
  (
    [
      ["", []],
      [", asked for with TE", ["TE: trailers"]],
    ] as const
  ).map(([how, fields]) => [
    `${name}${how}`,
    {
      sends: get("/a", ...fields).replace("GET", method),
      arrives: gotten("/a").replace("GET", method),
      ...row,
    },
  ]);

/** Interim answers (RFC 9110 section 15.2): hints pass, the others are for nobody here. */
const interim: Rows = [
  ...bothWays("early hints pass as they are", {
    upstream: HINT + ok("a"),
    gets: [HINT, "200 a"],
    upstreamAfter: "kept",
  }),
  ...bothWays(
    "early hints pass before the answer to a HEAD",
    {
      upstream: HINT + head("HTTP/1.1 200 OK", "Content-Length: 5"),
      gets: [HINT, "200 none"],
      upstreamAfter: "kept",
    },
    "HEAD",
  ),
  ...bothWays("two early hints pass in their order", {
    upstream:
      head("HTTP/1.1 103 One", "X: 1") +
      head("HTTP/1.1 103 Two", "X: 2") +
      ok("a"),
    gets: [
      head("HTTP/1.1 103 Early Hints", "X: 1"),
      head("HTTP/1.1 103 Early Hints", "X: 2"),
      "200 a",
    ],
    upstreamAfter: "kept",
  }),
  ...bothWays("early hints lose what belongs to one hop, and any framing", {
    upstream:
      head(
        ...["HTTP/1.1 103 Early Hints", "Connection: X-Drop, close"],
        ...["X-Drop: 1", "Keep-Alive: timeout=1", "Link: </a>"],
        ...["Content-Length: 3", "Expose-Error: x"],
      ) + ok("a"),
    gets: [head("HTTP/1.1 103 Early Hints", "Link: </a>"), "200 a"],
  }),
  ...bothWays("100, 102 and others that nobody knows do not pass", {
    upstream: `${CONTINUE}${head("HTTP/1.1 102 Processing")}${head("HTTP/1.1 104 Upload", "X: 1")}${head("HTTP/1.1 199 X")}${ok("a")}`,
    gets: ["200 a"],
    upstreamAfter: "kept",
  }),
  ...bothWays("a switch of protocols that nobody asked for is an error", {
    upstream: `${head("HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade")}${ok("evil")}`,
    gets: ["502 upstream-invalid"],
    upstreamAfter: "dropped",
  }),
  [
    "early hints are there before the answer is",
    {
      sends: [
        post("Content-Length: 5"),
        /103 Early Hints[^]*\r\n\r\n$/,
        "hello",
      ],
      upstream: [HEAD_ALONE, HINT, /hello$/, ok("a")],
      arrives: `${post("Content-Length: 5", OURS)}hello`,
      gets: [HINT, "200 a"],
      upstreamAfter: "kept",
    },
  ],
  [
    "early hints pass before and behind 100 Continue",
    {
      sends: [EXPECTING, /100 Continue\r\n\r\n(?:[^\r]+\r\n)*/, "hello"],
      upstream: [HEAD_ALONE, HINT + CONTINUE + HINT, /hello$/, ok("a")],
      arrives: `${EXPECTED}hello`,
      gets: [HINT, CONTINUE, HINT, "200 a"],
    },
  ],
];

/** Answers that end with their head, whatever it says. */
const bodiless: Rows = [
  ...bothWays(
    "the answer to a HEAD has the length that its body would have",
    {
      upstream: head("HTTP/1.1 200 OK", "Content-Length: 5", "X: 1"),
      gets: [head("HTTP/1.1 200 OK", "Content-Length: 5", "X: 1", ...KEPT)],
      upstreamAfter: "kept",
    },
    "HEAD",
  ),
  ...bothWays(
    "the answer to a HEAD may say nothing of a body",
    {
      upstream: head("HTTP/1.1 200 OK", "X: 1"),
      gets: [head("HTTP/1.1 200 OK", "X: 1", ...KEPT)],
      upstreamAfter: "kept",
    },
    "HEAD",
  ),
  ...bothWays(
    "the answer to a HEAD that would come in chunks has none",
    {
      upstream: head("HTTP/1.1 200 OK", "Transfer-Encoding: chunked"),
      gets: [head("HTTP/1.1 200 OK", ...KEPT)],
      upstreamAfter: "kept",
    },
    "HEAD",
  ),
  ...bothWays(
    "a body behind the answer to a HEAD is nobody's",
    {
      upstream: ok("evil"),
      gets: ["200 none"],
      upstreamAfter: "dropped",
    },
    "HEAD",
  ),
  ...bothWays("204 has no body", {
    upstream: head("HTTP/1.1 204 No Content", "X: 1"),
    gets: [head("HTTP/1.1 204 No Content", "X: 1", ...KEPT)],
    upstreamAfter: "kept",
  }),
  ...bothWays("204 has no length either, not even none", {
    upstream: head("HTTP/1.1 204 No Content", "Content-Length: 0"),
    gets: [head("HTTP/1.1 204 No Content", ...KEPT)],
    upstreamAfter: "kept",
  }),
  ...bothWays("204 has no chunks", {
    upstream: `${head("HTTP/1.1 204 No Content", "Transfer-Encoding: chunked")}0\r\n\r\n`,
    gets: [head("HTTP/1.1 204 No Content", ...KEPT)],
    upstreamAfter: "dropped",
  }),
  ...bothWays("a body behind 204 is nobody's", {
    upstream: `${head("HTTP/1.1 204 No Content", "Content-Length: 4")}evil`,
    gets: [head("HTTP/1.1 204 No Content", ...KEPT)],
    upstreamAfter: "dropped",
  }),
  ...bothWays("304 has the length of what has not changed, and no body", {
    upstream: head("HTTP/1.1 304 Not Modified", "Content-Length: 5", "ETag: x"),
    gets: [
      head(
        "HTTP/1.1 304 Not Modified",
        "Content-Length: 5",
        "ETag: x",
        ...KEPT,
      ),
    ],
    upstreamAfter: "kept",
  }),
  ...bothWays("304 may say nothing of a length", {
    upstream: head("HTTP/1.1 304 Not Modified", "ETag: x"),
    gets: [head("HTTP/1.1 304 Not Modified", "ETag: x", ...KEPT)],
    upstreamAfter: "kept",
  }),
  ...bothWays("304 has no chunks", {
    upstream: head("HTTP/1.1 304 Not Modified", "Transfer-Encoding: chunked"),
    gets: [head("HTTP/1.1 304 Not Modified", ...KEPT)],
    upstreamAfter: "kept",
  }),
  ...bothWays("205 and 200 without a body have a length of 0", {
    upstream: head("HTTP/1.1 205 Reset Content", "Content-Length: 0"),
    gets: [head("HTTP/1.1 205 Reset Content", "Content-Length: 0", ...KEPT)],
    upstreamAfter: "kept",
  }),
  ...bothWays("an answer of no chunks has none", {
    upstream: `${head("HTTP/1.1 200 OK", "Transfer-Encoding: chunked")}0\r\n\r\n`,
    gets: ["200 chunked"],
    upstreamAfter: "kept",
  }),
];

const old = (...lines: readonly string[]): string =>
  head("GET /a HTTP/1.0", "Host: {host}", ...lines);

/** To a visitor of HTTP/1.0, only what that version knows (RFC 9112 section 6.1, RFC 9110 section 15.2). */
const toOld: Rows = [
  [
    "HTTP/1.0 gets no interim answer",
    {
      sends: old(),
      upstream: CONTINUE + HINT + ok("a"),
      arrives: gotten("/a"),
      gets: [
        `${head("HTTP/1.1 200 OK", "Content-Length: 1", "Connection: close")}a`,
      ],
      after: "closed",
    },
  ],
  [
    "an expectation in HTTP/1.0 means nothing (RFC 9110 section 10.1.1)",
    {
      sends: `${EXPECTING.replace("HTTP/1.1", "HTTP/1.0")}hello`,
      upstream: [/hello$/, CONTINUE + ok("a")],
      arrives: `${post("Content-Length: 5", OURS)}hello`,
      gets: ["200 a"],
      after: "closed",
    },
  ],
  [
    "an unknown expectation in HTTP/1.0 means nothing",
    {
      sends: old("Expect: 200-ok"),
      arrives: gotten("/a"),
      gets: ["200 /a"],
      after: "closed",
    },
  ],
  ...[[], ["TE: chunked, trailers"], ["Connection: keep-alive"]].map(
    (fields) =>
      [
        `chunks become a body until the end in HTTP/1.0 (${fields[0] ?? "nothing asked"})`,
        {
          sends: old(...fields),
          upstream: `${head("HTTP/1.1 200 OK", "Trailer: X-Sum", "Transfer-Encoding: chunked")}5\r\nhello\r\n0\r\nX-Sum: 5\r\n\r\n`,
          arrives: gotten("/a"),
          gets: [`${head("HTTP/1.1 200 OK", "Connection: close")}hello`],
          after: "closed",
          upstreamAfter: "kept",
        },
      ] as const,
  ),
  [
    "a body until the end is one in HTTP/1.0 as well",
    {
      sends: old(),
      upstream: [/\r\n\r\n$/, `${head("HTTP/1.0 200 OK")}hello`, END],
      arrives: gotten("/a"),
      gets: [`${head("HTTP/1.1 200 OK", "Connection: close")}hello`],
      after: "closed",
      upstreamAfter: "dropped",
    },
  ],
  [
    "HTTP/1.0 keeps its connection when it asks for it and the length is known",
    {
      sends: old("Connection: keep-alive"),
      arrives: gotten("/a"),
      gets: ["200 /a"],
      upstreamAfter: "kept",
    },
  ],
  [
    "HTTP/1.0 keeps its connection over the answer to a HEAD with a length",
    {
      sends: old("Connection: keep-alive").replace("GET", "HEAD"),
      arrives: gotten("/a").replace("GET", "HEAD"),
      gets: ["200 none"],
      upstreamAfter: "kept",
    },
  ],
  ...(
    [
      ["204", "GET", head("HTTP/1.1 204 No Content"), "204 none"],
      ["304", "GET", head("HTTP/1.1 304 Not Modified"), "304 none"],
      ["HEAD", "HEAD", head("HTTP/1.1 200 OK"), "200 none"],
      [
        "HEAD of chunks",
        "HEAD",
        head("HTTP/1.1 200 OK", "Transfer-Encoding: chunked"),
        "200 none",
      ],
    ] as const
  ).map(
    ([name, method, upstream, answer]) =>
      [
        `HTTP/1.0 ends its connection with an answer that says no length (${name})`,
        {
          sends: old("Connection: keep-alive").replace("GET", method),
          upstream,
          arrives: gotten("/a").replace("GET", method),
          gets: [answer],
          after: "closed",
          upstreamAfter: "kept",
        },
      ] as const,
  ),
];

describeIngress("interim and bodiless answers", (ingress) => {
  const { play } = useConversations(ingress);
  it.each([...expectations, ...interim, ...bodiless, ...toOld])(
    "%s",
    (_, row) => play(row),
  );
});
