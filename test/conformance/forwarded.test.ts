// Who the visitor is, and what the upstream is told of them in X-Forwarded-* and Forwarded (RFC 7239): strangers cannot say
// it, and trusted proxies can, as far as they reach. The visitors here call from many addresses of 127.0.0.0/8.
import { expect, it } from "vitest";
import { describeIngress } from "../harness/worlds.ts";
import { get, head, useConversations, type Row } from "./conversation.ts";

type Rows = readonly (readonly [name: string, row: Row])[];

const STRANGER = "127.0.0.5";
const VISITOR = "203.0.113.9";
// The peers of the edge are the first proxies; what they say of others makes the chain longer.
const PROXY = "127.0.1.1";
const CONFIG = `
public-url: https://localhost:8443
trusted-proxies: [127.0.1.0/24, 10.0.0.0/8, "2001:db8::/32"]
`;

/** What the upstream is told. */
const told = (
  addresses: string,
  { proto = "https", host = "{host}", port = "8443", forwarded = "" } = {},
): string[] => [
  `X-Forwarded-For: ${addresses}`,
  `X-Forwarded-Proto: ${proto}`,
  `X-Forwarded-Host: ${host}`,
  `X-Forwarded-Port: ${port}`,
  ...(forwarded ? [`Forwarded: ${forwarded}`] : []),
];

/** A GET of somebody who says something of themselves, and what is told instead. */
const says = (
  from: string,
  fields: readonly string[],
  lines: readonly string[],
): Row => ({
  from,
  sends: get("/a", "X-A: 1", ...fields),
  arrives: get("/a", "X-A: 1", ...lines),
  gets: ["200 /a"],
});

const strangers: Rows = [
  [
    "a stranger is told of by address, with the scheme and port of the edge's own URL",
    says(STRANGER, [], told(STRANGER)),
  ],
  ...[
    ["X-Forwarded-For: 6.6.6.6"],
    ["X-Forwarded-For: 6.6.6.6", "x-forwarded-for: 7.7.7.7"],
    // Addresses of trusted proxies, and the edge's own.
    ["X-Forwarded-For: 10.0.0.1, 127.0.1.1"],
    ["X-Forwarded-For: 127.0.0.1"],
    ["X-Forwarded-For: "],
    ["X-Forwarded-Proto: http"],
    ["X-Forwarded-Host: evil.example"],
    ["X-Forwarded-Port: 1"],
    ["X-Forwarded-Server: evil.example"],
    ["X-Forwarded-Prefix: /admin"],
    ["X-Forwarded-Ssl: on"],
    ["X-Forwarded-Scheme: http"],
    ["X-Forwarded-Uri: /admin"],
    ["X-Forwarded-User: root"],
    ["X-Forwarded-Client-Cert: x"],
    ["X-Real-IP: 6.6.6.6"],
    ["x_forwarded_for: 6.6.6.6", "X_Real_IP: 6.6.6.6"],
  ].map(
    (fields) =>
      [
        `a stranger's ${fields.join(" and ")} is not passed on`,
        says(STRANGER, fields, told(STRANGER)),
      ] as const,
  ),
  ...[
    ["Forwarded: for=6.6.6.6"],
    ["Forwarded: for=6.6.6.6;host=evil.example;proto=http"],
    ["Forwarded: for=10.0.0.1", "forwarded: for=127.0.1.1"],
    ['Forwarded: for="6.6.6.6'],
    ["Forwarded: "],
  ].map(
    (fields) =>
      [
        `a stranger's ${fields.join(" and ")} is replaced`,
        says(
          STRANGER,
          fields,
          told(STRANGER, {
            forwarded: `for=${STRANGER};host="{host}";proto=https`,
          }),
        ),
      ] as const,
  ),
  [
    "a stranger's neighbour is a stranger as well",
    says("127.0.2.1", ["X-Forwarded-For: 6.6.6.6"], told("127.0.2.1")),
  ],
  [
    "what a stranger says in HTTP/1.0 is not passed on",
    {
      from: STRANGER,
      sends: head(
        ...["GET /a HTTP/1.0", "X-Forwarded-For: 6.6.6.6", "Host: {host}"],
        "X-Forwarded-Proto: http",
      ),
      arrives: get("/a", ...told(STRANGER)),
      gets: ["200 /a"],
      after: "closed",
    },
  ],
  [
    "a stranger who asks for the tunnel in another spelling is told of in that one, each time",
    {
      from: STRANGER,
      sends: [
        get("/1"),
        /\r\n\r\n\/1$/,
        get("/2").replace("{host}", "TARGET.localhost"),
        /\r\n\r\n\/2$/,
        get("/3", "X-Forwarded-Host: evil.example"),
      ],
      arrives:
        get("/1", ...told(STRANGER)) +
        get("/2", ...told(STRANGER, { host: "TARGET.localhost" })).replace(
          "Host: {host}",
          "Host: TARGET.localhost",
        ) +
        get("/3", ...told(STRANGER)),
      gets: ["200 /1", "200 /2", "200 /3"],
    },
  ],
];

/** Proxies that speak X-Forwarded-For. */
const proxies: Rows = [
  ["none but one proxy", "", "127.0.1.1"],
  ["one proxy", `${VISITOR}`, `${VISITOR}, 127.0.1.1`],
  ["two proxies", `${VISITOR}, 127.0.1.2`, `${VISITOR}, 127.0.1.2, 127.0.1.1`],
  [
    "three proxies",
    `${VISITOR},10.0.0.3 ,\t127.0.1.2`,
    `${VISITOR}, 10.0.0.3, 127.0.1.2, 127.0.1.1`,
  ],
  [
    "one proxy, and a made-up address",
    `6.6.6.6, ${VISITOR}`,
    `${VISITOR}, 127.0.1.1`,
  ],
  [
    "two proxies, and made-up addresses of proxies",
    `6.6.6.6, 10.0.0.9, 127.0.1.1, ${VISITOR}, 127.0.1.2`,
    `${VISITOR}, 127.0.1.2, 127.0.1.1`,
  ],
  [
    "three proxies, and made-up nonsense",
    `"><script>, unknown, ${VISITOR}, 10.0.0.3, 127.0.1.2`,
    `${VISITOR}, 10.0.0.3, 127.0.1.2, 127.0.1.1`,
  ],
  ["a proxy whose visitor is unknown", "unknown", "127.0.1.1"],
  ["a proxy that says nothing sensible", "6.6.6.6, x", "127.0.1.1"],
  ["a proxy that says ports", `${VISITOR}:4711`, `${VISITOR}, 127.0.1.1`],
  [
    "two proxies and IPv6",
    "2a00::1, 2001:db8::5",
    "2a00::1, 2001:db8::5, 127.0.1.1",
  ],
  ["a proxy that says a port of IPv6", "[2a00::1]:4711", "2a00::1, 127.0.1.1"],
  [
    "a proxy that says IPv4 in IPv6",
    `::ffff:${VISITOR}`,
    `${VISITOR}, 127.0.1.1`,
  ],
  ["a proxy that is its own visitor", "127.0.1.2", "127.0.1.2, 127.0.1.1"],
].map(([name, value, addresses]) => [
  `behind ${name!}: "${value}"`,
  says(PROXY, [`X-Forwarded-For: ${value}`], told(addresses!)),
]);

const ofProxies: Rows = [
  [
    "a trusted proxy that says nothing is the visitor",
    says(PROXY, [], told(PROXY)),
  ],
  [
    "several X-Forwarded-For of a proxy are one list",
    says(
      PROXY,
      [
        ...["X-Forwarded-For: 6.6.6.6", `x-forwarded-for: ${VISITOR}`],
        "X-FORWARDED-FOR: 127.0.1.2",
      ],
      told(`${VISITOR}, 127.0.1.2, 127.0.1.1`),
    ),
  ],
  [
    "no more than 32 proxies are believed",
    says(
      PROXY,
      [`X-Forwarded-For: ${Array<string>(100).fill("10.0.0.1").join()}`],
      told([...Array<string>(32).fill("10.0.0.1"), PROXY].join(", ")),
    ),
  ],
  [
    "scheme, host and port of a proxy are kept",
    says(
      PROXY,
      [
        ...[`X-Forwarded-For: ${VISITOR}`, "X-Forwarded-Proto: http"],
        ...["X-Forwarded-Host: shop.example:81", "X-Forwarded-Port: 81"],
      ],
      told(`${VISITOR}, ${PROXY}`, {
        ...{ proto: "http", host: "shop.example:81", port: "81" },
      }),
    ),
  ],
  [
    "of a list of schemes, hosts or ports, the proxy's own entry is kept",
    says(
      PROXY,
      [
        ...[`X-Forwarded-For: ${VISITOR}`, "X-Forwarded-Proto: gopher, http"],
        ...["X-Forwarded-Host: evil.example, shop.example"],
        ...["X-Forwarded-Port: 1", "X-Forwarded-Port: 81"],
      ],
      told(`${VISITOR}, ${PROXY}`, {
        ...{ proto: "http", host: "shop.example", port: "81" },
      }),
    ),
  ],
  [
    "a scheme without a port means that scheme's own",
    says(
      PROXY,
      [`X-Forwarded-For: ${VISITOR}`, "X-Forwarded-Proto: HTTP"],
      told(`${VISITOR}, ${PROXY}`, { proto: "http", port: "80" }),
    ),
  ],
  [
    "a scheme, host or port that is none is the edge's own",
    says(
      PROXY,
      [
        ...[`X-Forwarded-For: ${VISITOR}`, "X-Forwarded-Proto: javascript"],
        ...["X-Forwarded-Host: a b@c/d", "X-Forwarded-Port: 65536"],
      ],
      told(`${VISITOR}, ${PROXY}`),
    ),
  ],
  [
    "what only proxies say passes from a proxy",
    says(
      PROXY,
      [
        ...[`X-Real-IP: ${VISITOR}`, "X-Forwarded-Prefix: /shop"],
        `X-Forwarded-For: ${VISITOR}`,
      ],
      [
        ...[`X-Real-IP: ${VISITOR}`, "X-Forwarded-Prefix: /shop"],
        ...told(`${VISITOR}, ${PROXY}`),
      ],
    ),
  ],
  [
    "an underscore is no proxy's, though one sends it",
    says(
      PROXY,
      ["X_Forwarded_For: 6.6.6.6", `X-Forwarded-For: ${VISITOR}`],
      told(`${VISITOR}, ${PROXY}`),
    ),
  ],
  [
    "what Connection names is believed all the same, since no proxy means it so",
    says(
      PROXY,
      ["Connection: X-Forwarded-For", `X-Forwarded-For: ${VISITOR}`],
      told(`${VISITOR}, ${PROXY}`),
    ),
  ],
];

/** Proxies that speak Forwarded. */
const rfc7239: Rows = [
  [
    "one proxy",
    [`for=${VISITOR}`],
    `${VISITOR}, ${PROXY}`,
    `for=${VISITOR};host="{host}";proto=https, for=${PROXY}`,
  ],
  [
    "two proxies",
    [`for=${VISITOR};proto=https, for=127.0.1.2`],
    `${VISITOR}, 127.0.1.2, ${PROXY}`,
    `for=${VISITOR};host="{host}";proto=https, for=127.0.1.2, for=${PROXY}`,
  ],
  [
    "three proxies",
    [`FOR="${VISITOR}:99"`, "for=10.0.0.3;by=_x,for=127.0.1.2"],
    `${VISITOR}, 10.0.0.3, 127.0.1.2, ${PROXY}`,
    `for=${VISITOR};host="{host}";proto=https, for=10.0.0.3, for=127.0.1.2, for=${PROXY}`,
  ],
  [
    "a proxy and made-up elements",
    [`for=6.6.6.6;host=evil.example, for=10.0.0.9, for=${VISITOR}`],
    `${VISITOR}, ${PROXY}`,
    `for=${VISITOR};host="{host}";proto=https, for=${PROXY}`,
  ],
  [
    "a proxy and a made-up quote that is left open",
    [`for="6.6.6.6, for=${VISITOR}`],
    `${VISITOR}, ${PROXY}`,
    `for=${VISITOR};host="{host}";proto=https, for=${PROXY}`,
  ],
  [
    "two proxies and IPv6",
    ['for="[2a00::1]:4711", for="[2001:db8::5]"'],
    `2a00::1, 2001:db8::5, ${PROXY}`,
    `for="[2a00::1]";host="{host}";proto=https, for="[2001:db8::5]", for=${PROXY}`,
  ],
  [
    "a proxy whose visitor is hidden",
    ["for=6.6.6.6, for=_hidden"],
    PROXY,
    `for=${PROXY};host="{host}";proto=https`,
  ],
].map(([name, values, addresses, forwarded]) => [
  `behind ${name as string} in Forwarded`,
  says(
    PROXY,
    (values as string[]).map((value) => `Forwarded: ${value}`),
    told(addresses as string, { forwarded: forwarded as string }),
  ),
]);

const bothSpoken: Rows = [
  [
    "Forwarded that came past proxies who speak X-Forwarded-For is the visitor's, and replaced",
    says(
      PROXY,
      [
        "Forwarded: for=6.6.6.6;host=evil.example;proto=http",
        `X-Forwarded-For: ${VISITOR}, 10.0.0.3`,
      ],
      told(`${VISITOR}, 10.0.0.3, ${PROXY}`, {
        forwarded: `for=${VISITOR};host="{host}";proto=https, for=10.0.0.3, for=${PROXY}`,
      }),
    ),
  ],
  [
    "the scheme and host of Forwarded are the proxy's own",
    says(
      PROXY,
      [
        "Forwarded: for=6.6.6.6;host=evil.example;proto=https",
        `Forwarded: for=${VISITOR};host="shop.example:81";proto=http`,
      ],
      told(`${VISITOR}, ${PROXY}`, {
        ...{ proto: "http", host: "shop.example:81", port: "80" },
        forwarded: `for=${VISITOR};host="shop.example:81";proto=http, for=${PROXY}`,
      }),
    ),
  ],
];

describeIngress("what is said of a visitor", (ingress) => {
  const { play, world } = useConversations(ingress, { config: CONFIG });
  it.each([...strangers, ...proxies, ...ofProxies, ...rfc7239, ...bothSpoken])(
    "%s",
    (_, row) => play(row),
  );

  it("is what the access log says", async () => {
    await play(says(STRANGER, ["X-Forwarded-For: 6.6.6.6"], told(STRANGER)));
    await play(
      says(
        PROXY,
        [`X-Forwarded-For: 6.6.6.6, ${VISITOR}, 10.0.0.3`],
        told(`${VISITOR}, 10.0.0.3, ${PROXY}`),
      ),
    );
    // It writes out what it has.
    await world().restartEdge("SIGTERM");
    expect(
      world()
        .accessLog()
        .filter(({ url }) => String(url).endsWith("/a"))
        .slice(-2)
        .map(({ visitor }) => visitor),
    ).toEqual([STRANGER, VISITOR]);
  });
});
