// Upgrades (RFC 9110 section 7.8, RFC 6455, RFC 9931): WebSockets alone, each on a connection of its own; nothing of what a
// visitor sends goes on before the upstream has agreed, since until then it may be taken for a request (CVE-2026-2833,
// CVE-2026-58055).
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
  useConversations,
  type Row,
} from "./conversation.ts";

type Rows = readonly (readonly [name: string, row: Row])[];

const KEYS = [
  "Sec-WebSocket-Version: 13",
  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
];
const WEBSOCKET = ["Connection: Upgrade", "Upgrade: websocket", ...KEYS];
const HANDSHAKE = get("/ws", ...WEBSOCKET);
const SHAKEN = gotten("/ws", ...WEBSOCKET);
const SWITCH = head(
  ...["HTTP/1.1 101 Switching Protocols", "Upgrade: websocket"],
  ...[
    "Connection: Upgrade",
    "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
  ],
);
const HEAD_ALONE = /^(?:[^\r]+\r\n)+\r\n$/;
const SMUGGLED = get("/smuggled");

/** The upstream agrees to what has come, and nobody says more. */
const agreed = (sends: string, arrives: string): Row => ({
  sends: [sends, /HELLO$/],
  upstream: [HEAD_ALONE, `${SWITCH}HELLO`],
  arrives,
  gets: [SWITCH, "HELLO"],
  after: "open",
  upstreamAfter: "dropped",
});

const granted: Rows = [
  [
    "a WebSocket reaches the upstream as it was asked for",
    agreed(HANDSHAKE, SHAKEN),
  ],
  [
    "bytes pass both ways once the upstream has agreed, until it ends",
    {
      sends: [HANDSHAKE, /\r\n\r\nHELLO$/, "PING"],
      upstream: [HEAD_ALONE, `${SWITCH}HELLO`, /PING$/, "PONG", END],
      arrives: `${SHAKEN}PING`,
      gets: [SWITCH, "HELLOPONG"],
      after: "cut",
      upstreamAfter: "dropped",
    },
  ],
  [
    "what comes along with the handshake, or before the answer, waits until the upstream has agreed",
    {
      sends: [`${HANDSHAKE}EARLY`, OTHERS, "-LATER", /DONE$/],
      upstream: [
        HEAD_ALONE,
        OTHERS,
        OTHERS,
        OTHERS,
        // Still nothing behind it.
        HEAD_ALONE,
        SWITCH,
        /EARLY-LATER$/,
        "DONE",
      ],
      arrives: `${SHAKEN}EARLY-LATER`,
      gets: [SWITCH, "DONE"],
      after: "open",
    },
  ],
  [
    "a request behind a handshake that is granted is bytes of the WebSocket",
    {
      sends: [HANDSHAKE + SMUGGLED, /DONE$/],
      upstream: [HEAD_ALONE, SWITCH, /smuggled[^]*\r\n\r\n$/, "DONE"],
      arrives: SHAKEN + SMUGGLED,
      gets: [SWITCH, "DONE"],
      after: "open",
      upstreamAfter: "dropped",
    },
  ],
  [
    "path, case, order and duplicates of a handshake arrive as they are",
    agreed(
      get(
        ...["//a/..//b?c=%2F", "X-CaSe: 1", "connection: UPGRADE"],
        ...["uPGRADE: WebSocket", ...KEYS, "Cookie: a", "X-Empty:"],
      ),
      gotten(
        ...["//a/..//b?c=%2F", "X-CaSe: 1", "connection: Upgrade"],
        ...["uPGRADE: websocket", ...KEYS, "Cookie: a", "X-Empty: "],
      ),
    ),
  ],
  [
    "Upgrade may be one of several options of the connection",
    agreed(
      get("/ws", "Connection: keep-alive, Upgrade", ...WEBSOCKET.slice(1)),
      SHAKEN,
    ),
  ],
  [
    "what belongs to one hop goes no further than in any request",
    agreed(
      get(
        "/ws",
        "Connection: Upgrade, X-Drop, X-Forwarded-For, Host",
        ...WEBSOCKET.slice(1),
        ...["X-Drop: 1", "Keep-Alive: timeout=5", "TE: trailers"],
        ...["Proxy-Authorization: x", "Proxy-Connection: keep-alive"],
        ...["X-Forwarded-For: 6.6.6.6", "X_Forwarded_For: 6.6.6.6"],
        ...["X-Real-IP: 6.6.6.6", "Expect: 100-continue"],
      ),
      SHAKEN,
    ),
  ],
  [
    "Forwarded of a handshake is the edge's own",
    agreed(
      get("/ws", ...WEBSOCKET, "Forwarded: for=6.6.6.6"),
      SHAKEN.replace(
        /\r\n\r\n$/,
        '\r\nForwarded: for=127.0.0.1;host="{host}";proto=http\r\n\r\n',
      ),
    ),
  ],
  [
    "a target in absolute-form that agrees arrives as its path",
    agreed(HANDSHAKE.replace("/ws", "http://{host}/ws"), SHAKEN),
  ],
  [
    "interim answers before the switch are not passed on",
    {
      ...agreed(HANDSHAKE, SHAKEN),
      upstream: [
        HEAD_ALONE,
        head("HTTP/1.1 103 Early Hints", "Link: </a>") +
          head("HTTP/1.1 100 Continue"),
        `${SWITCH}HELLO`,
      ],
    },
  ],
  [
    "the answer loses what belongs to one hop or is the edge's to say",
    {
      ...agreed(HANDSHAKE, SHAKEN),
      upstream: [
        HEAD_ALONE,
        `${head(
          ...["HTTP/1.1 101 Fine", "UPGRADE: WebSocket", "X-CaSe: 1"],
          ...["Set-Cookie: a", "Set-Cookie: b", "X-Drop: 1"],
          ...["Connection: Upgrade, X-Drop", "Keep-Alive: timeout=1"],
          ...["Expose-Error: x", "Proxy-Authenticate: x"],
        )}HELLO`,
      ],
      gets: [
        head(
          ...["HTTP/1.1 101 Switching Protocols", "Upgrade: websocket"],
          ...["Connection: Upgrade", "X-CaSe: 1"],
          ...["Set-Cookie: a", "Set-Cookie: b"],
        ),
        "HELLO",
      ],
    },
  ],
];

/** The upstream says no: that is the last answer there, and what was sent ahead is nobody's. */
const refused: Rows = (
  [
    [
      "401 with a length",
      `${head("HTTP/1.1 401 No", "Content-Length: 2")}no`,
      "401 no",
    ],
    ["200 with a length", ok("no"), "200 no"],
    [
      "200 that keeps the connection",
      ok("no", "Connection: keep-alive", "Keep-Alive: timeout=60"),
      "200 no",
    ],
    [
      "426 that asks for a WebSocket",
      head(
        ...["HTTP/1.1 426 Upgrade Required", "Upgrade: websocket"],
        ...["Connection: Upgrade", "Content-Length: 0"],
      ),
      "426",
    ],
    [
      "chunks",
      `${head("HTTP/1.1 400 No", "Transfer-Encoding: chunked")}2\r\nno\r\n0\r\n\r\n`,
      "400 chunked no",
    ],
    ["204", head("HTTP/1.1 204 No Content"), "204 none"],
    ["304", head("HTTP/1.1 304 Not Modified"), "304 none"],
    [
      "early hints and 403",
      `${head("HTTP/1.1 103 Early Hints")}${head("HTTP/1.1 403 No", "Content-Length: 2")}no`,
      "403 no",
    ],
    [
      "an answer and another one behind it",
      `${head("HTTP/1.1 403 No", "Content-Length: 2")}no${ok("evil")}`,
      "403 no",
    ],
    [
      "an answer and a switch behind it",
      `${head("HTTP/1.1 403 No", "Content-Length: 2")}no${SWITCH}`,
      "403 no",
    ],
  ] as const
).flatMap(([name, answer, told]): Rows => [
  [
    `refused with ${name}, it is the last request of both connections`,
    {
      sends: HANDSHAKE,
      upstream: [HEAD_ALONE, answer],
      arrives: SHAKEN,
      gets: [told],
      after: "closed",
      upstreamAfter: "dropped",
    },
  ],
  [
    `refused with ${name}, a request that came along with it reaches nobody`,
    {
      sends: HANDSHAKE + SMUGGLED,
      upstream: [HEAD_ALONE, OTHERS, HEAD_ALONE, answer],
      arrives: SHAKEN,
      gets: [told],
      after: "closed",
      upstreamAfter: "dropped",
    },
  ],
  [
    `refused with ${name}, a request that comes behind the answer reaches nobody`,
    {
      sends: [HANDSHAKE, /HTTP\/1\.1 [2-5][^]*\r\n\r\n/, SMUGGLED],
      upstream: [HEAD_ALONE, answer],
      arrives: SHAKEN,
      gets: [told],
      after: "closed",
      upstreamAfter: "dropped",
    },
  ],
]);

/** Answers that are neither yes nor no. */
const broken: Rows = (
  [
    ["ends without an answer", "", ["502 upstream-down"], "closed"],
    [
      "ends within its answer",
      "HTTP/1.1 10",
      ["502 upstream-closed"],
      "closed",
    ],
    [
      "speaks another protocol",
      "SSH-2.0-x\r\n",
      ["502 upstream-invalid"],
      "closed",
    ],
    [
      "switches to nothing",
      head("HTTP/1.1 101 Switching Protocols"),
      ["502 upstream-invalid"],
      "closed",
    ],
    [
      "switches to another protocol",
      `${SWITCH.replace("websocket", "h2c")}EVIL`,
      [],
      "cut",
    ],
  ] as const
).map(([name, answer, gets, after]) => [
  `of an upstream that ${name} nothing is passed on, nor anything to it`,
  {
    sends: HANDSHAKE + SMUGGLED,
    upstream: [HEAD_ALONE, answer, END],
    arrives: SHAKEN,
    ...{ gets, after, upstreamAfter: "dropped" },
  },
]);

const refusedAs = (sends: string, answer: string): Row => ({
  sends,
  arrives: "",
  gets: [answer],
  after: "closed",
});

/** What is refused here already. */
const refusedHere: Rows = [
  ...["Content-Length: 5", "Transfer-Encoding: chunked"].flatMap(
    (framing): Rows => [
      [
        `a handshake with a body is refused (${framing})`,
        refusedAs(
          `${get("/ws", ...WEBSOCKET, framing)}hello`,
          "400 upgrade-refused",
        ),
      ],
      [
        `a handshake with a body that looks like a request is refused (${framing})`,
        refusedAs(
          get("/ws", ...WEBSOCKET, framing) + SMUGGLED,
          "400 upgrade-refused",
        ),
      ],
    ],
  ),
  ...["POST", "PUT", "DELETE", "OPTIONS", "HEAD", "PURGE"].map(
    (method) =>
      [
        `a handshake with ${method} is refused`,
        method === "HEAD"
          ? refusedAs(
              HANDSHAKE.replace("GET", method),
              "400 none upgrade-refused",
            )
          : refusedAs(HANDSHAKE.replace("GET", method), "400 upgrade-refused"),
      ] as const,
  ),
  [
    "a handshake with two framings is refused",
    refusedAs(
      get("/ws", ...WEBSOCKET, "Content-Length: 5", "Content-Length: 5"),
      "400 request-invalid",
    ),
  ],
  [
    "a handshake with two Hosts is refused",
    refusedAs(
      get("/ws", "Host: evil.example", ...WEBSOCKET),
      "400 host-invalid",
    ),
  ],
  [
    "a handshake without a Host is refused",
    refusedAs(head("GET /ws HTTP/1.1", ...WEBSOCKET), "400 host-invalid"),
  ],
  [
    "a handshake whose target does not agree with its Host is refused",
    refusedAs(
      HANDSHAKE.replace("/ws", "http://evil.example/ws"),
      "400 host-invalid",
    ),
  ],
  [
    "a handshake with another expectation is refused",
    refusedAs(
      get("/ws", ...WEBSOCKET, "Expect: 200-ok"),
      "417 request-invalid",
    ),
  ],
  [
    "a handshake for nobody's name is answered, and what came along with it is not",
    refusedAs(
      HANDSHAKE.replace("{host}", "other.localhost") + SMUGGLED,
      "404 tunnel-unknown",
    ),
  ],
  [
    "a handshake of no bytes of body is one like any other",
    agreed(
      get("/ws", ...WEBSOCKET, "Content-Length: 0"),
      gotten("/ws", ...WEBSOCKET, "Content-Length: 0"),
    ),
  ],
];

/** Not a WebSocket: a plain request, of which no word of an upgrade goes on. */
const plain = (
  fields: readonly string[],
  left: readonly string[] = [],
  after: Row["after"] = "closed",
): Row => ({
  sends: get("/a", ...fields),
  arrives: gotten("/a", ...left),
  gets: ["200 /a"],
  after,
});

const others: Rows = [
  [
    "h2c is not offered to the upstream (RFC 9113 section 3.1)",
    plain([
      ...["Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c"],
      "HTTP2-Settings: AAMAAABk",
    ]),
  ],
  [
    "h2c beside websocket is not offered",
    plain(["Connection: Upgrade", "Upgrade: websocket, h2c", ...KEYS], KEYS),
  ],
  [
    "websocket beside h2c is not offered",
    plain(["Connection: Upgrade", "Upgrade: h2c, websocket", ...KEYS], KEYS),
  ],
  [
    "two Upgrade fields are not offered",
    plain([...WEBSOCKET, "Upgrade: h2c"], KEYS),
  ],
  [
    "two Upgrade fields that say the same are not offered",
    plain([...WEBSOCKET, "Upgrade: websocket"], KEYS),
  ],
  ...["TLS/1.0", "websocket/13", "web socket", "websockets", "IRC/6.9"].map(
    (protocol) =>
      [
        `an upgrade to "${protocol}" is not offered`,
        plain(["Connection: Upgrade", `Upgrade: ${protocol}`]),
      ] as const,
  ),
  [
    "Upgrade that Connection does not name is not offered",
    plain(["Upgrade: websocket", ...KEYS], KEYS, "kept"),
  ],
  [
    "Upgrade beside Connection: close is not offered",
    plain(["Upgrade: websocket", "Connection: close"]),
  ],
  [
    "Connection: Upgrade to nothing is not offered",
    plain(["Connection: Upgrade", ...KEYS], KEYS, "kept"),
  ],
  [
    "an empty Upgrade is not offered",
    plain(["Connection: Upgrade", "Upgrade:", ...KEYS], KEYS, "kept"),
  ],
  [
    "Upgrade in HTTP/1.0 means nothing (RFC 9110 section 7.8)",
    {
      sends: HANDSHAKE.replace("HTTP/1.1", "HTTP/1.0"),
      arrives: gotten("/ws", ...KEYS),
      gets: ["200 /ws"],
      after: "closed",
    },
  ],
  [
    "a body with h2c is a body, and what follows it is not answered",
    {
      sends: `${head(
        ...["POST /a HTTP/1.1", "Host: {host}", "Connection: Upgrade"],
        ...["Upgrade: h2c", `Content-Length: 5`],
      )}hello${SMUGGLED}`,
      arrives: `${head("POST /a HTTP/1.1", "Host: {host}", "Content-Length: 5", OURS)}hello`,
      gets: ["200 /a"],
      after: "closed",
    },
  ],
  [
    "the preface of HTTP/2 behind h2c is not answered",
    {
      sends: `${get("/a", "Connection: Upgrade", "Upgrade: h2c")}PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n`,
      arrives: gotten("/a"),
      gets: ["200 /a"],
      after: "closed",
    },
  ],
];

/** Behind other requests on one connection. */
const behind: Rows = [
  [
    "a handshake behind an answered request is granted",
    {
      sends: [get("/a"), /\r\n\r\n\/a$/, HANDSHAKE, /HELLO$/],
      upstream: ({ target }) =>
        target === "/a" ? ok(target) : `${SWITCH}HELLO`,
      arrives: gotten("/a") + SHAKEN,
      gets: ["200 /a", SWITCH, "HELLO"],
      after: "open",
    },
  ],
  [
    "a handshake in one write with a request before it ends the connection, and neither is passed on twice",
    {
      sends: get("/a") + HANDSHAKE,
      upstream: [HEAD_ALONE, OTHERS],
      arrives: gotten("/a"),
      gets: [],
      after: "cut",
      upstreamAfter: "dropped",
    },
  ],
];

describeIngress("upgrades", (ingress) => {
  const { play } = useConversations(ingress);
  it.each([
    ...granted,
    ...refused,
    ...broken,
    ...refusedHere,
    ...others,
    ...behind,
  ])("%s", (_, row) => play(row));
});
