// What belongs to one hop ends there (RFC 9110 section 7.6.1), in both directions: it is taken away before the edge adds
// what is its own, so nobody can name that away (CVE-2024-45410, CVE-2026-33805), and under no other spelling of it either.
import { it } from "vitest";
import { describeIngress } from "../harness/worlds.ts";
import {
  END,
  get,
  gotten,
  head,
  ok,
  OURS,
  useConversations,
  type Row,
} from "./conversation.ts";

type Rows = readonly (readonly [name: string, row: Row])[];

/** A GET with fields, of which some are left. */
const leaves = (
  fields: readonly string[],
  left: readonly string[],
  after: Row["after"] = "kept",
): Row => ({
  sends: get("/a", ...fields),
  arrives: gotten("/a", ...left),
  gets: ["200 /a"],
  after,
});

const post = (...lines: readonly string[]): string =>
  head("POST /a HTTP/1.1", "Host: {host}", ...lines);

/** What a request's Connection names. */
const nominated: Rows = [
  [
    "a field that Connection names is removed",
    leaves(["Connection: X-Drop", "X-Drop: 1", "X-Keep: 2"], ["X-Keep: 2"]),
  ],
  [
    "a field that stands before Connection is removed",
    leaves(["X-Drop: 1", "X-Keep: 2", "Connection: X-Drop"], ["X-Keep: 2"]),
  ],
  [
    "every field of a name is removed, in any case",
    leaves(["X-DROP: 1", "Connection: x-Drop", "x-drop: 2"], []),
  ],
  [
    "what each of several Connection fields names is removed",
    leaves(
      ["Connection: X-One", "X-One: 1", "connection: X-Two", "X-Two: 2"],
      [],
    ),
  ],
  [
    "empty elements and blanks in the list mean nothing",
    leaves(
      ["Connection: ,, X-One ,\tX-Two\t, ", "X-One: 1", "X-Two: 2", "X: 3"],
      ["X: 3"],
    ),
  ],
  [
    "an option that names nothing removes nothing",
    leaves(["Connection: X-None", "X: 3"], ["X: 3"]),
  ],
  [
    "a name is no pattern",
    leaves(["Connection: X-*, X", "X-A: 1", "X: 2"], ["X-A: 1"]),
  ],
  [
    "credentials can be named",
    leaves(
      [
        ...["Connection: Cookie, Authorization", "Cookie: a=b"],
        ...["Authorization: Basic x", "Accept: */*"],
      ],
      ["Accept: */*"],
    ),
  ],
  [
    "a name beside close is removed, and the connection ends",
    leaves(["Connection: close, X-Drop", "X-Drop: 1"], [], "closed"),
  ],
  [
    "a name beside keep-alive is removed, and the connection goes on",
    leaves(["Connection: keep-alive, X-Drop", "X-Drop: 1"], []),
  ],
  [
    "close in a second Connection field ends the connection",
    leaves(
      ["Connection: X-Drop", "X-Drop: 1", "Connection: CLOSE"],
      [],
      "closed",
    ),
  ],
  [
    "what the edge says of the visitor cannot be named away (CVE-2024-45410, CVE-2026-33805)",
    leaves(
      [
        "Connection: X-Forwarded-For, X-Forwarded-Proto, X-Forwarded-Host, X-Forwarded-Port",
      ],
      [],
    ),
  ],
  [
    "what the edge says of the visitor cannot be named away by several fields, beside the visitor's own",
    leaves(
      [
        ...[
          "Connection: x-forwarded-for",
          "Connection: close, x-forwarded-host",
        ],
        ...["X-Forwarded-For: 6.6.6.6", "X-Forwarded-Host: evil.example"],
      ],
      [],
      "closed",
    ),
  ],
  [
    "Forwarded cannot be named away",
    {
      sends: get("/a", "Connection: Forwarded", "Forwarded: for=6.6.6.6"),
      arrives: gotten("/a").replace(
        /\r\n\r\n$/,
        '\r\nForwarded: for=127.0.0.1;host="{host}";proto=http\r\n\r\n',
      ),
      gets: ["200 /a"],
    },
  ],
  [
    "Host cannot be named away",
    leaves(["Connection: Host, X-Drop", "X-Drop: 1"], []),
  ],
  [
    "Content-Length cannot be named away",
    {
      sends: `${post("Connection: Content-Length", "Content-Length: 5")}hello`,
      arrives: `${post("Content-Length: 5", OURS)}hello`,
      gets: ["200 /a"],
      upstreamAfter: "kept",
    },
  ],
  [
    "Transfer-Encoding cannot be named away",
    {
      sends: `${post("Connection: Transfer-Encoding", "Transfer-Encoding: chunked")}5\r\nhello\r\n0\r\n\r\n`,
      arrives: `${post("Transfer-Encoding: chunked", OURS)}5\r\nhello\r\n0\r\n\r\n`,
      gets: ["200 /a"],
      upstreamAfter: "kept",
    },
  ],
  [
    "Connection can name itself",
    leaves(["Connection: Connection, X-Drop", "X-Drop: 1"], []),
  ],
  [
    "what Connection names is removed of a request in HTTP/1.0, too",
    {
      sends: head(
        ...["GET /a HTTP/1.0", "Host: {host}"],
        ...["Connection: X-Drop, X-Forwarded-For", "X-Drop: 1"],
      ),
      arrives: gotten("/a"),
      gets: ["200 /a"],
      after: "closed",
    },
  ],
  [
    "a hundred names are removed",
    leaves(
      [
        `Connection: ${Array.from({ length: 100 }, (_, i) => `X-${i}`).join()}`,
        ...Array.from({ length: 101 }, (_, i) => `X-${i}: ${i}`),
      ],
      ["X-100: 100"],
    ),
  ],
];

/** What belongs to one hop by its name. */
const always: Rows = [
  ...[
    ["Connection", "keep-alive"],
    ["Keep-Alive", "timeout=5, max=100"],
    ["Proxy-Connection", "keep-alive"],
    // RFC 9110 section 11.7.2: for the next proxy, and the edge is one.
    ["Proxy-Authorization", "Basic dXNlcjpzZWNyZXQ="],
    ["Proxy-Authenticate", "Basic"],
    ["TE", "trailers"],
    ["TE", "gzip;q=0.5, trailers"],
    ["HTTP2-Settings", "AAMAAABk"],
    ["Upgrade", "h2c"],
  ].map(
    ([name, value]) =>
      [
        `${name}: ${value} of a request goes no further, in any case or number`,
        leaves(
          [
            ...[`${name}: ${value}`, "X-Keep: 1"],
            ...[`${name!.toLowerCase()}: ${value}`, "X-Keep: 2"],
            `${name!.toUpperCase()}: ${value}`,
          ],
          ["X-Keep: 1", "X-Keep: 2"],
        ),
      ] as const,
  ),
  [
    "TE goes no further, though Connection names it as it must",
    leaves(["TE: trailers", "Connection: TE"], []),
  ],
];

/**
 * Names that CGI, WSGI, Rack and PHP cannot tell from others: each character that is neither letter nor digit is "_" to
 * them, and the last one wins (CVE-2025-64484, CVE-2026-39858).
 */
const aliases: Rows = [
  ...[
    "X_Forwarded_For",
    "x-forwarded_for",
    "X_Forwarded-Proto",
    "X.Forwarded.Host",
    "X~Forwarded~Port",
    "X_FORWARDED_ANYTHING",
    "X_Real_IP",
    "X_Auth_User",
    "Remote_User",
    "Content_Length",
    "Transfer_Encoding",
    "Proxy_Authorization",
    "Proxy_Connection",
    "Keep_Alive",
  ].map(
    (name) =>
      [
        `${name}, which some take for another, goes no further`,
        leaves([`${name}: 1`, "X-Keep: 1"], ["X-Keep: 1"]),
      ] as const,
  ),
  ...["X_Signature", "my_header", "__proto__", "x.y", "X-Content_Length"].map(
    (name) =>
      [
        `${name}, which nobody takes for another, arrives`,
        leaves([`${name}: 1`], [`${name}: 1`]),
      ] as const,
  ),
  [
    "an alias of the length does not end a body",
    {
      sends: `${post("Content_Length: 2", "Content-Length: 5")}hello`,
      arrives: `${post("Content-Length: 5", OURS)}hello`,
      gets: ["200 /a"],
    },
  ],
];

/** Trailers (RFC 9110 section 6.5), which are end-to-end as far as they come too late for nobody. */
const trailers: Rows = [
  [
    "Trailer and the trailers of a request arrive",
    {
      sends: `${post("Trailer: X-Sum", "Transfer-Encoding: chunked")}1\r\na\r\n0\r\nX-Sum: 5\r\n\r\n`,
      arrives: `${post("Trailer: X-Sum", "Transfer-Encoding: chunked", OURS)}1\r\na\r\n0\r\nX-Sum: 5\r\n\r\n`,
      gets: ["200 /a"],
    },
  ],
  // RFC 9110 section 6.5.1: what frames, routes or authorises, and what would pass for the edge's own word.
  ...[
    ...["Host: evil.example", "Connection: X", "Keep-Alive: timeout=5"],
    ...["TE: trailers", "Trailer: X", "Upgrade: h2c", "Expect: 100-continue"],
    ...["Authorization: x", "Proxy-Authorization: x", "Cookie: a=b"],
    ...["X-Forwarded-For: 6.6.6.6", "Forwarded: for=6.6.6.6"],
    ...["X-Real-IP: 6.6.6.6", "X_Forwarded_For: 6.6.6.6"],
    ...["Content-Type: text/html", "Content-Encoding: gzip"],
    ...["Content_Length: 9", "Cache-Control: no-store", "Max-Forwards: 1"],
  ].map(
    (trailer) =>
      [
        `the trailer ${trailer} goes no further`,
        {
          sends: `${post("Transfer-Encoding: chunked")}1\r\na\r\n0\r\nX-Sum: 5\r\n${trailer}\r\n\r\n`,
          arrives: `${post("Transfer-Encoding: chunked", OURS)}1\r\na\r\n0\r\nX-Sum: 5\r\n\r\n`,
          gets: ["200 /a"],
        },
      ] as const,
  ),
  ...[
    "Content-Length: 9",
    "Transfer-Encoding: gzip",
    "X-Forwarded-For : 1",
  ].map(
    (trailer) =>
      [
        `the trailer ${trailer} is refused with its request`,
        {
          sends: `${post("Transfer-Encoding: chunked")}1\r\na\r\n0\r\n${trailer}\r\n\r\n`,
          arrives: "",
          gets: ["400 request-invalid"],
          after: "closed",
        },
      ] as const,
  ),
  [
    "what follows a trailer Connection: close is not answered, and the connection ends",
    {
      sends: [
        `${post("Transfer-Encoding: chunked")}1\r\na\r\n0\r\nConnection: close\r\n\r\n`,
        /\r\n\r\n\/a$/,
        get("/b"),
      ],
      arrives: `${post("Transfer-Encoding: chunked", OURS)}1\r\na\r\n0\r\n\r\n`,
      gets: ["200 /a"],
      after: "cut",
    },
  ],
  [
    "a trailer that Connection names goes no further",
    {
      sends: `${post("Connection: X-Sum", "Transfer-Encoding: chunked")}1\r\na\r\n0\r\nX-Sum: 5\r\n\r\n`,
      arrives: `${post("Transfer-Encoding: chunked", OURS)}1\r\na\r\n0\r\n\r\n`,
      gets: ["200 /a"],
    },
  ],
];

const KEPT = ["Connection: keep-alive", "Keep-Alive: timeout=65"];

/** An answer with fields, of which some are left. */
const answers = (
  fields: readonly string[],
  left: readonly string[],
  upstreamAfter: "kept" | "dropped" = "kept",
): Row => ({
  sends: get("/a"),
  arrives: gotten("/a"),
  upstream: `${head("HTTP/1.1 200 OK", "Content-Length: 2", ...fields)}ok`,
  gets: [`${head("HTTP/1.1 200 OK", "Content-Length: 2", ...left, ...KEPT)}ok`],
  upstreamAfter,
});

/** The other direction. */
const ofAnswers: Rows = [
  [
    "what an answer's Connection names is removed, in any case and number",
    answers(
      ["X-DROP: 1", "Connection: x-drop, X-Two", "x-Two: 2", "X-Keep: 3"],
      ["X-Keep: 3"],
    ),
  ],
  [
    "what each of several Connection fields of an answer names is removed",
    answers(
      ["Connection: X-One", "Connection: X-Two", "X-One: 1", "X-Two: 2"],
      [],
    ),
  ],
  [
    "the length of an answer cannot be named away",
    answers(["Connection: Content-Length"], []),
  ],
  [
    "an answer's close is the upstream's, and the visitor's connection goes on",
    answers(["Connection: close"], [], "dropped"),
  ],
  [
    "close beside other options of an answer is the upstream's as well",
    answers(["Connection: X-Drop, Close", "X-Drop: 1"], [], "dropped"),
  ],
  ...[
    ["Keep-Alive", "timeout=120, max=1000"],
    ["Proxy-Connection", "close"],
    ["Proxy-Authenticate", "Basic"],
    ["Proxy-Authentication-Info", "x"],
    ["TE", "trailers"],
    ["Upgrade", "h2c"],
    // It says which answers are the edge's own.
    ["Expose-Error", "upstream-down"],
  ].map(
    ([name, value]) =>
      [
        `${name} of an answer goes no further, in any case or number`,
        answers(
          [
            ...[`${name}: ${value}`, "X-Keep: 1"],
            ...[`${name!.toLowerCase()}: ${value}`, "X-Keep: 2"],
          ],
          ["X-Keep: 1", "X-Keep: 2"],
        ),
      ] as const,
  ),
  [
    "Upgrade of an answer that asks for one goes no further",
    {
      ...answers([], []),
      upstream: head(
        ...["HTTP/1.1 426 Upgrade Required", "Upgrade: TLS/1.0"],
        ...["Connection: Upgrade", "Content-Length: 0"],
      ),
      gets: [
        head("HTTP/1.1 426 Upgrade Required", "Content-Length: 0", ...KEPT),
      ],
    },
  ],
  [
    "duplicates, order and case of what passes are kept in an answer",
    answers(
      ["set-cookie: a", "X-b: 1", "Set-Cookie: b", "SET-COOKIE: a", "x_y: 2"],
      ["set-cookie: a", "X-b: 1", "Set-Cookie: b", "SET-COOKIE: a", "x_y: 2"],
    ),
  ],
  [
    "chunks are framed anew, trailers pass, and those that may not be trailers go no further",
    {
      sends: get("/a"),
      arrives: gotten("/a"),
      upstream: `${head("HTTP/1.1 200 OK", "Trailer: X-Sum", "Transfer-Encoding: Chunked")}2;x=y\r\nok\r\n0\r\nX-Sum: 5\r\nContent-Length: 7\r\nSet-Cookie: a\r\nConnection: close\r\nExpose-Error: x\r\n\r\n`,
      gets: [
        `${head("HTTP/1.1 200 OK", "Trailer: X-Sum", ...KEPT, "Transfer-Encoding: chunked")}2\r\nok\r\n0\r\nX-Sum: 5\r\n\r\n`,
      ],
      upstreamAfter: "kept",
    },
  ],
  [
    "a trailer that an answer's Connection names goes no further",
    {
      sends: get("/a"),
      arrives: gotten("/a"),
      upstream: `${head("HTTP/1.1 200 OK", "Connection: X-Sum", "Transfer-Encoding: chunked")}2\r\nok\r\n0\r\nX-Sum: 5\r\n\r\n`,
      gets: [
        `${head("HTTP/1.1 200 OK", ...KEPT, "Transfer-Encoding: chunked")}2\r\nok\r\n0\r\n\r\n`,
      ],
    },
  ],
  [
    "an answer until the end of its connection becomes one in chunks",
    {
      sends: get("/a"),
      arrives: gotten("/a"),
      upstream: [
        /\r\n\r\n$/,
        head("HTTP/1.1 200 OK", "Connection: close") + ok("no answer"),
        END,
      ],
      gets: [`200 chunked ${ok("no answer")}`],
      upstreamAfter: "dropped",
    },
  ],
];

describeIngress("hop-by-hop fields", (ingress) => {
  const { play } = useConversations(ingress);
  it.each([...nominated, ...always, ...aliases, ...trailers, ...ofAnswers])(
    "%s",
    (_, row) => play(row),
  );
});
