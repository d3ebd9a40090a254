// Which host a request is for: one Host, told once, that every other parser on the way reads in the same way, or none
// (RFC 9110 section 7.2, RFC 9112 section 3.2). What passes arrives as it was written.
import { it } from "vitest";
import { describeIngress } from "../harness/worlds.ts";
import {
  get,
  gotten,
  head,
  OURS,
  useConversations,
  utf8,
  type Row,
} from "./conversation.ts";

type Rows = readonly (readonly [name: string, row: Row])[];

const withHost = (host: string, version = "1.1"): string =>
  head(`GET /a HTTP/${version}`, `Host: ${host}`);
const arrivedWith = (host: string): string =>
  head("GET /a HTTP/1.1", `Host: ${host}`, OURS.replace("{host}", host));

/** Hosts of the tunnel, each in a spelling that means nothing else to anybody. */
const ours = (
  [
    ["its name and port", "{host}"],
    ["its name without a port", "target.localhost"],
    ["another port, which may be a proxy's", "target.localhost:1"],
    ["capitals", "TARGET.LocalHost:{port}"],
    ["a dot at its end", "target.localhost."],
    ["a dot and a port at its end", "target.localhost.:{port}"],
  ] as const
).flatMap(([name, host]): Rows => [
  [
    `${name} is the tunnel's, and arrives as it was written`,
    { sends: withHost(host), arrives: arrivedWith(host), gets: ["200 /a"] },
  ],
  [
    `${name} is the tunnel's in HTTP/1.0, too`,
    {
      sends: withHost(host, "1.0"),
      arrives: arrivedWith(host),
      gets: ["200 /a"],
      after: "closed",
    },
  ],
]);

/** Hosts that are well-formed, and nobody's. */
const nobodys: Rows = (
  [
    ["another name", "other.localhost:{port}", "404 tunnel-unknown"],
    [
      "a name with an underscore",
      "my_app.localhost:{port}",
      "404 tunnel-unknown",
    ],
    [
      "a name in punycode",
      "xn--trget-gra.localhost:{port}",
      "404 tunnel-unknown",
    ],
    [
      "the tunnel's name as a part of another",
      "target.localhost.evil.example",
      "421 host-unknown",
    ],
    [
      "the tunnel's name behind a hyphen",
      "evil-target.localhost",
      "404 tunnel-unknown",
    ],
    ["a foreign name", "evil.example", "421 host-unknown"],
    ["an IPv4 address", "127.0.0.1:{port}", "421 host-unknown"],
    ["an IPv6 address", "[::1]:{port}", "421 host-unknown"],
    ["an IPv4 address in IPv6", "[::ffff:127.0.0.1]", "421 host-unknown"],
  ] as const
).map(([name, host, answer]) => [
  `${name} is nobody's`,
  { sends: withHost(host), arrives: "", gets: [answer] },
]);

/** What somebody could read as another host. */
const malformed: Rows = (
  [
    ["nothing", ""],
    ["a port alone", ":{port}"],
    ["a port without digits", "target.localhost:"],
    ["a port that is none", "target.localhost:http"],
    ["a port above 65,535", "target.localhost:65536"],
    ["two ports", "target.localhost:80:80"],
    ["a sign before the port", "target.localhost:+80"],
    ["userinfo", "user@target.localhost"],
    ["userinfo with a password", "user:secret@target.localhost"],
    ["itself as userinfo", "target.localhost@evil.example"],
    ["itself behind another's name as userinfo", "evil.example@{host}"],
    ["a path", "target.localhost/"],
    ["a path with dots", "target.localhost/../evil"],
    ["a query", "target.localhost?"],
    ["a fragment", "target.localhost#"],
    ["a backslash", "target.localhost\\@evil.example"],
    ["a list", "{host}, {host}"],
    ["a blank within", "target.localhost evil.example"],
    ["a tab within", "target\t.localhost"],
    ["a semicolon", "target.localhost;evil.example"],
    ["quotes", '"target.localhost"'],
    ["two dots in a row", "target..localhost"],
    ["a dot in front", ".target.localhost"],
    ["two dots at its end", "target.localhost.."],
    ["a percent-encoded letter", "%74arget.localhost"],
    ["a percent-encoded dot", "target%2elocalhost"],
    ["a percent-encoded slash", "target.localhost%2f.evil.example"],
    ["a percent-encoded NUL", "target.localhost%00.evil.example"],
    ["letters outside ASCII", utf8("tärget.localhost")],
    ["letters outside ASCII in Latin-1", "t\xe4rget.localhost"],
    // IDNA turns both into the tunnel's name (UTS #46).
    ["full-width letters", utf8("ｔarget.localhost")],
    ["an ideographic full stop", utf8("target。localhost")],
    ["a soft hyphen", utf8("tar\u00adget.localhost")],
    ["an asterisk", "*.localhost"],
    ["an IPv6 address without brackets", "::1"],
    ["an IPv6 address without its end", "[::1"],
    ["an IPv6 address with a zone", "[fe80::1%25lo]"],
    ["an IPv4 address in brackets", "[127.0.0.1]"],
    ["itself in brackets", "[target.localhost]"],
    ["something behind the brackets", "[::1]target.localhost"],
    ["a future IP version", "[v1.target]"],
    ["a short IPv4 address", "127.1"],
    ["an IPv4 address in one number", "2130706433"],
    ["a label of 64 letters", `${"a".repeat(64)}.localhost`],
    ["300 letters", `${"a.".repeat(146)}localhost`],
    ["a scheme", "http://target.localhost"],
  ] as const
).map(([name, host]) => [
  `${name} is refused`,
  {
    sends: withHost(host),
    arrives: "",
    gets: ["400 host-invalid"],
    after: "closed",
  },
]);

const refusedAs = (sends: string, answer = "400 host-invalid"): Row => ({
  sends,
  arrives: "",
  gets: [answer],
  after: "closed",
});

/** How often there is one (RFC 9112 section 3.2: other than once is answered with 400). */
const number: Rows = (["1.0", "1.1"] as const).flatMap((version): Rows => [
  [
    `none is refused in HTTP/${version}`,
    refusedAs(head(`GET /a HTTP/${version}`, "X-Host: {host}")),
  ],
  [
    `none beside a target that names one is refused in HTTP/${version}`,
    refusedAs(head(`GET http://{host}/a HTTP/${version}`, "X-A: 1")),
  ],
  [
    `two that agree are refused in HTTP/${version}`,
    refusedAs(head(`GET /a HTTP/${version}`, "Host: {host}", "Host: {host}")),
  ],
  [
    `two that differ are refused in HTTP/${version}`,
    refusedAs(
      head(`GET /a HTTP/${version}`, "Host: {host}", "Host: evil.example"),
    ),
  ],
  [
    `two apart, in another case, are refused in HTTP/${version}`,
    refusedAs(
      head(
        `GET /a HTTP/${version}`,
        "host: evil.example",
        "X-A: 1",
        "HOST: {host}",
      ),
    ),
  ],
  [
    `one and an empty one are refused in HTTP/${version}`,
    refusedAs(head(`GET /a HTTP/${version}`, "Host: {host}", "Host:")),
  ],
]);

/** How the line is written (RFC 9112 section 5). */
const spelling: Rows = [
  [
    "a field named in another case is one like any other",
    {
      sends: head("GET /a HTTP/1.1", "hOST: {host}"),
      arrives: head("GET /a HTTP/1.1", "hOST: {host}", OURS),
      gets: ["200 /a"],
    },
  ],
  [
    "blanks around it are no part of it",
    {
      sends: head("GET /a HTTP/1.1", "Host: \t {host} \t "),
      arrives: gotten("/a"),
      gets: ["200 /a"],
    },
  ],
  [
    "the colon may stand right before it",
    {
      sends: head("GET /a HTTP/1.1", "Host:{host}"),
      arrives: gotten("/a"),
      gets: ["200 /a"],
    },
  ],
  [
    "it may be the last field",
    {
      sends: head("GET /a HTTP/1.1", "X-A: 1", "Host: {host}"),
      arrives: head("GET /a HTTP/1.1", "X-A: 1", "Host: {host}", OURS),
      gets: ["200 /a"],
    },
  ],
  [
    "a blank before the colon is refused",
    refusedAs(head("GET /a HTTP/1.1", "Host : {host}"), "400 request-invalid"),
  ],
  [
    "a second one with a blank before the colon is refused",
    refusedAs(
      head("GET /a HTTP/1.1", "Host: {host}", "Host : evil.example"),
      "400 request-invalid",
    ),
  ],
  [
    "a folded line is refused",
    refusedAs(
      head("GET /a HTTP/1.1", "Host:", " {host}"),
      "400 request-invalid",
    ),
  ],
  [
    "a line that is folded behind it is refused",
    refusedAs(
      head("GET /a HTTP/1.1", "Host: {host}", " .evil.example"),
      "400 request-invalid",
    ),
  ],
  [
    "a line in front of all fields that begins with a blank is refused",
    refusedAs(
      head("GET /a HTTP/1.1", " Host: evil.example", "Host: {host}"),
      "400 request-invalid",
    ),
  ],
  [
    "NUL in it is refused",
    refusedAs(withHost("target.localhost\0"), "400 request-invalid"),
  ],
  [
    "a bare CR in it is refused",
    refusedAs(
      withHost("target.localhost\rHost: evil.example"),
      "400 request-invalid",
    ),
  ],
  [
    "a bare LF behind it is refused",
    refusedAs(withHost("{host}\nX-A: 1"), "400 request-invalid"),
  ],
];

const absolute = (target: string, host = "{host}", method = "GET"): string =>
  head(`${method} ${target} HTTP/1.1`, `Host: ${host}`);

/** Targets in absolute-form (RFC 9112 section 3.2.2): they and the Host agree, and the upstream sees the path alone. */
const targets: Rows = [
  ...(
    [
      ["a target that agrees", "http://{host}/a", "/a"],
      ["a target in capitals", "HTTP://TARGET.LOCALHOST:{port}/a", "/a"],
      [
        "a target with a dot at its end",
        "http://target.localhost.:{port}/a",
        "/a",
      ],
      ["a target of another scheme", "https://{host}/a", "/a"],
      ["a target without a path", "http://{host}", "/"],
      ["a target with a query alone", "http://{host}?q=/", "/?q=/"],
      [
        "a target with an odd path",
        "http://{host}//a/../%2Fb;c",
        "//a/../%2Fb;c",
      ],
    ] as const
  ).map(
    ([name, target, path]) =>
      [
        `${name} arrives as its path`,
        {
          sends: absolute(target),
          arrives: gotten(path),
          gets: [`200 ${path}`],
        },
      ] as const,
  ),
  ...(
    [
      ["another host", "http://evil.example/a"],
      ["another name", "http://other.localhost:{port}/a"],
      ["another port", "http://target.localhost:1/a"],
      ["no port", "http://target.localhost/a"],
      ["userinfo", "http://user@{host}/a"],
      ["the Host as userinfo", "http://{host}@evil.example/a"],
      ["no host", "http:///a"],
      ["a port alone", "http://:{port}/a"],
      ["a percent-encoded letter", "http://%74arget.localhost:{port}/a"],
      ["a host in brackets", "http://[target.localhost]:{port}/a"],
    ] as const
  ).map(
    ([name, target]) =>
      [
        `a target with ${name} does not agree`,
        refusedAs(absolute(target)),
      ] as const,
  ),
  [
    "a Host that the target does not agree with is refused, though the target is the tunnel's",
    refusedAs(absolute("http://{host}/a", "evil.example")),
  ],
  [
    "a Host without a port means the port of the target's scheme",
    {
      sends: absolute("http://target.localhost:80/a", "target.localhost"),
      arrives: arrivedWith("target.localhost"),
      gets: ["200 /a"],
    },
  ],
  ...(
    [
      ["another scheme than http", "ftp://{host}/a"],
      ["a host without a scheme", "{host}"],
      ["no slash in front", "a"],
      ["an asterisk", "*"],
    ] as const
  ).map(
    ([name, target]) =>
      [
        `a GET of ${name} is refused`,
        refusedAs(absolute(target), "400 request-invalid"),
      ] as const,
  ),
  [
    "OPTIONS may ask about the server as a whole (RFC 9112 section 3.2.4)",
    {
      sends: absolute("*", "{host}", "OPTIONS"),
      arrives: head("OPTIONS * HTTP/1.1", "Host: {host}", OURS),
      gets: ["200 *"],
    },
  ],
  [
    "OPTIONS of a host alone asks about the server as a whole",
    {
      sends: absolute("http://{host}", "{host}", "OPTIONS"),
      arrives: head("OPTIONS * HTTP/1.1", "Host: {host}", OURS),
      gets: ["200 *"],
    },
  ],
  [
    "two slashes begin a path, and no authority",
    {
      sends: get("//evil.example/a"),
      arrives: gotten("//evil.example/a"),
      gets: ["200 //evil.example/a"],
    },
  ],
  [
    "a URL behind a slash is a path",
    {
      sends: get("/http://evil.example/"),
      arrives: gotten("/http://evil.example/"),
      gets: ["200 /http://evil.example/"],
    },
  ],
  [
    "a target with a backslash in its host is refused",
    refusedAs(
      absolute("http://{host}\\@evil.example/a"),
      "400 request-invalid",
    ),
  ],
  [
    "CONNECT is not served",
    refusedAs(absolute("{host}", "{host}", "CONNECT"), "405 request-invalid"),
  ],
];

/** Other versions of the protocol (RFC 9110 section 6.2). */
const versions: Rows = (
  [
    ["HTTP/0.9", withHost("{host}", "0.9"), 505],
    ["HTTP/2.0", withHost("{host}", "2.0"), 505],
    ["no version", head("GET /a", "Host: {host}"), 505],
    ["no version and no head", "GET /a\r\n\r\n", 505],
    ["HTTP/1.2", withHost("{host}", "1.2"), 400],
    ["HTTP/3.0", withHost("{host}", "3.0"), 400],
    ["HTTP/1.10", withHost("{host}", "1.10"), 400],
    ["HTTP/01.1", withHost("{host}", "01.1"), 400],
    ["http/1.1", withHost("{host}").replace("HTTP/", "http/"), 400],
    ["the preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400],
  ] as const
).map(([name, sends, status]) => [
  `a request with ${name} is refused`,
  refusedAs(sends, `${status} request-invalid`),
]);

describeIngress("the Host of a request", (ingress) => {
  const { play } = useConversations(ingress);
  it.each([
    ...ours,
    ...nobodys,
    ...malformed,
    ...number,
    ...spelling,
    ...targets,
    ...versions,
  ])("%s", (_, row) => play(row));
});
