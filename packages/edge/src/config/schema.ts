// The configuration of the edge: every key with its type, default and description, once. The YAML file, the flags, the
// EXPOSE_EDGE_* variables, the JSON schema and docs/configuration.md derive from this file.
import * as v from "valibot";
import { logLevels } from "../util/log.ts";
import type { CamelKeys } from "./camel.ts";
import {
  choice,
  count,
  duration,
  list,
  path,
  size,
  text,
  toggle,
} from "./fields.ts";
import { ALWAYS_RESERVED } from "./reserved-names.ts";
import {
  formatListen,
  isLoopback,
  parseAccount,
  parseDomain,
  parseHeaderName,
  parseListen,
  parseName,
  parseNetwork,
  parsePorts,
  parsePublicUrl,
  quote,
  type ListenAddress,
} from "./values.ts";

const KIB = 1024;
const MIB = 1024 * KIB;

/** Stands for the state directory in paths; the defaults of paths begin with it. */
export const STATE_DIR = "{state-dir}";

const section = <const E extends v.ObjectEntries>(
  description: string,
  entries: E,
) => v.pipe(v.strictObject(entries), v.description(description));

const keys = v.strictObject({
  domain: v.optional(
    list(
      "DOMAIN",
      "Domains that names live under, each with a wildcard DNS record that leads here. The first is used in URLs.",
      parseDomain,
      { min: 1 },
    ),
    ["localhost"],
  ),
  listen: v.optional(
    list(
      "HOST:PORT",
      "Addresses for visitors' HTTP. Port 0: the system chooses.",
      parseListen,
      { min: 1 },
    ),
    ["127.0.0.1:7780"],
  ),
  "public-url": v.optional(
    text(
      "URL",
      "What visitors type when a proxy stands in front: scheme and port of the URLs that clients are given, and of X-Forwarded-Proto and -Port. Its host is the first domain. Default: http and the port of the first address in `listen`.",
      parsePublicUrl,
    ),
  ),
  "trusted-proxies": v.optional(
    list(
      "NETWORK",
      "Addresses or networks of proxies whose X-Forwarded-* headers are believed, or Forwarded where there is no X-Forwarded-For. From others they are replaced.",
      parseNetwork,
    ),
    [],
  ),
  users: v.optional(
    path(
      "Users file: authorized_keys lines with our options in front. See `expose-edge keys`. Changes are taken over at once.",
    ),
    `${STATE_DIR}/users`,
  ),
  "state-dir": v.optional(
    v.pipe(
      path(
        `Folder for what has to outlive a restart, private to the edge. \`${STATE_DIR}\` in other paths means this one.`,
      ),
      v.check(
        (given) => !given.startsWith(STATE_DIR),
        `${STATE_DIR} means this folder, which cannot be in itself`,
      ),
    ),
    "/var/lib/expose",
  ),
  workers: v.optional(
    count(
      "Processes that serve visitors, for machines with more cores: with 2 or more, another one looks after them. What limits.* allows a tunnel or the whole edge is divided among them.",
      1,
      64,
    ),
    1,
  ),
  "reserved-names": v.optional(
    list(
      "NAME",
      "Names that nobody gets, in addition to those that could pass for the operator's own: www, admin, mail and the like.",
      parseName,
    ),
    [],
  ),
  "default-name": v.optional(
    text(
      "NAME",
      "Tunnel that is served when a visitor calls the edge by IP address. Default: none is.",
      parseName,
    ),
  ),
  ingress: section("How SSH sessions reach the edge.", {
    embedded: section("The SSH server inside the edge.", {
      enabled: v.optional(toggle("Run it."), true),
      listen: v.optional(
        list(
          "HOST:PORT",
          "Addresses for SSH. Clients elsewhere need a public one.",
          parseListen,
          { min: 1 },
        ),
        ["127.0.0.1:2222"],
      ),
      "host-key": v.optional(
        path(
          "Private host key in OpenSSH's format. It is generated (ed25519) when the file is missing.",
        ),
        `${STATE_DIR}/ssh_host_ed25519_key`,
      ),
    }),
    openssh: section(
      "A stock sshd in front of the edge; infra/sshd has its configuration.",
      {
        enabled: v.optional(toggle("Serve the sessions of that sshd."), false),
        "control-dir": v.optional(
          path(
            "Folder for the control sockets, one for each identity, which sshd's forced command connects to.",
          ),
          `${STATE_DIR}/openssh`,
        ),
        "keys-file": v.optional(
          path(
            "File that the edge writes for sshd's AuthorizedKeysCommand to read.",
          ),
          `${STATE_DIR}/openssh/keys`,
        ),
        account: v.optional(
          text(
            "NAME",
            "System account that tunnels log in to. With it, connections lead only to ports that this account listens on. Default: not checked.",
            parseAccount,
          ),
        ),
        "direct-ports": v.optional(
          list(
            "PORTS",
            "Public ports that the users file may grant past the edge. A grant of others makes the users file invalid.",
            parsePorts,
          ),
          ["1024-65535"],
        ),
      },
    ),
  }),
  limits: section("What nobody gets more of.", {
    "tunnels-per-identity": v.optional(
      count(
        "Tunnels that an identity may have open; `max-tunnels` in the users file can lower it.",
        1,
        10_000,
      ),
      100,
    ),
    sessions: v.optional(
      count("SSH sessions open in all, of the openssh ingress.", 1, 100_000),
      10_000,
    ),
    "sessions-per-identity": v.optional(
      count("SSH sessions that an identity may have open.", 1, 10_000),
      100,
    ),
    "logins-at-once": v.optional(
      count("SSH connections that have not logged in yet, in all.", 1, 100_000),
      1_000,
    ),
    "logins-per-address": v.optional(
      count(
        "SSH connections from one address (one /64 in IPv6) that have not logged in yet.",
        1,
        100_000,
      ),
      250,
    ),
    "login-attempts": v.optional(
      count("Keys that a client may offer on one SSH connection.", 1, 100),
      6,
    ),
    connections: v.optional(
      count("Visitors' connections open in all.", 1, 1_000_000),
      15_000,
    ),
    "connections-per-visitor": v.optional(
      count(
        "Connections that one visitor's address (one /64 in IPv6) may have open; beyond it visitors get 429.",
        1,
        1_000_000,
      ),
      256,
    ),
    "requests-per-tunnel": v.optional(
      count(
        "Requests of one tunnel in flight, waiting ones included. One visitor may have as many as are left for all others; beyond it comes 503.",
        1,
        1_000_000,
      ),
      4_096,
    ),
    "connections-per-tunnel": v.optional(
      count(
        "Connections through one tunnel for requests; more requests wait for a free one. One visitor may have as many as are left for all others. OpenSSH ends a session at 16384.",
        1,
        16_000,
      ),
      256,
    ),
    "connects-per-tunnel": v.optional(
      count(
        "Connections through one tunnel that are being opened at the same moment. sshd's listeners queue 128.",
        1,
        10_000,
      ),
      64,
    ),
    "upgrades-per-tunnel": v.optional(
      count(
        "WebSockets of one tunnel, each with a connection of its own.",
        1,
        16_000,
      ),
      8_192,
    ),
    "header-bytes": v.optional(
      size(
        "Size of a request's head; beyond it visitors get 431.",
        1 * KIB,
        1 * MIB,
      ),
      "32KiB",
    ),
    "header-fields": v.optional(
      count("Header fields of a request or a response.", 10, 10_000),
      500,
    ),
    "response-header-bytes": v.optional(
      size("Size of a response's head.", 1 * KIB, 1 * MIB),
      "64KiB",
    ),
  }),
  timeouts: section("How long things may take.", {
    headers: v.optional(duration("For a request's head to arrive."), "15s"),
    "request-idle": v.optional(
      duration(
        "For which a visitor may pause within a request's body. Slow uploads that move are not cut.",
      ),
      "60s",
    ),
    connect: v.optional(
      duration("For a request to get a connection through its tunnel."),
      "30s",
    ),
    "first-byte": v.optional(
      duration(
        "For the local service to begin its answer once it has the request. 0s: for ever.",
        { zero: true },
      ),
      "5m",
    ),
    "response-idle": v.optional(
      duration(
        "For which the local service may pause within an answer. 0s: for ever, because event streams do pause.",
        { zero: true },
      ),
      "0s",
    ),
    "visitor-stall": v.optional(
      duration("For which a visitor may read nothing of what waits for them."),
      "2m",
    ),
    idle: v.optional(
      duration(
        "For which a visitor's connection is kept between two requests. Longer than a proxy in front keeps it.",
      ),
      "65s",
    ),
    login: v.optional(duration("For an SSH client to log in."), "20s"),
    lease: v.optional(
      duration(
        "For which a name is kept for an identity whose connection broke.",
        { zero: true },
      ),
      "60s",
    ),
    "away-wait": v.optional(
      duration(
        "For which a visitor waits for a client that lost its connection; then comes 503 with Retry-After.",
        { zero: true },
      ),
      "10s",
    ),
    shutdown: v.optional(
      duration("For running requests to finish after SIGTERM.", { zero: true }),
      "30s",
    ),
  }),
  "access-log": section("One record for each request.", {
    format: v.optional(
      choice(["json", "text", "off"], "JSON lines, a readable form, or none."),
      "json",
    ),
    file: v.optional(
      path("File to append to, reopened on SIGHUP; `-` is stdout."),
      "-",
    ),
    headers: v.optional(
      choice(
        ["redacted", "all", "none"],
        "Request headers in the record: with secrets replaced, as they came, or none. `all` shows secrets in URLs too.",
        { alias: "log-headers" },
      ),
      "redacted",
    ),
    redact: v.optional(
      list(
        "HEADER",
        "Headers and query parameters to redact in addition to those that are known to carry secrets.",
        parseHeaderName,
      ),
      [],
    ),
    keep: v.optional(
      list(
        "HEADER",
        "Headers and query parameters to show although they look like secrets.",
        parseHeaderName,
      ),
      [],
    ),
    "value-length": v.optional(
      count(
        "Characters of a header's value that are logged; the rest is counted.",
        16,
        64 * KIB,
      ),
      512,
    ),
    "headers-length": v.optional(
      count(
        "Characters of all headers of a request that are logged.",
        256,
        1 * MIB,
      ),
      8 * KIB,
    ),
  }),
  admin: section(
    "The operator's own listener: /healthz, /readyz and /metrics.",
    {
      enabled: v.optional(toggle("Run it."), true),
      listen: v.optional(
        text("HOST:PORT", "Its address.", parseListen),
        "127.0.0.1:7781",
      ),
      "allow-remote": v.optional(
        toggle(
          "Accept an address in `admin.listen` that other machines can reach. It asks nobody for a password, and answers calls by IP address or as localhost only.",
        ),
        false,
      ),
    },
  ),
  log: section("The edge's own log, on stderr.", {
    level: v.optional(choice(logLevels, "How much it says."), "info"),
    format: v.optional(choice(["text", "json"], "Its form."), "text"),
  }),
});

/** The schema of the whole configuration. Input has the keys of the YAML file; output has values parsed. */
export const configSchema = v.pipe(
  keys,
  v.forward(
    v.partialCheck(
      [["domain"], ["public-url"]],
      ({ domain, "public-url": url }) =>
        !url || url.host.replace(/^\*\./, "") === domain[0],
      (issue) => {
        const { domain, "public-url": url } = issue.input;
        return `its host must be the first domain (${domain[0]}), got ${quote(url?.host)}`;
      },
    ),
    ["public-url"],
  ),
  v.forward(
    v.partialCheck(
      [
        ["ingress", "embedded", "enabled"],
        ["ingress", "openssh", "enabled"],
      ],
      ({ ingress }) => ingress.embedded.enabled || ingress.openssh.enabled,
      "no client can connect: enable ingress.embedded or ingress.openssh",
    ),
    ["ingress"],
  ),
  v.forward(
    v.partialCheck(
      [
        ["admin", "listen"],
        ["admin", "allow-remote"],
      ],
      ({ admin }) => admin["allow-remote"] || isLoopback(admin.listen),
      (issue) =>
        `${formatListen(issue.input.admin.listen)} can be reached from other machines, and the admin listener asks for no password; use 127.0.0.1, or set admin.allow-remote`,
    ),
    ["admin", "listen"],
  ),
  v.forward(
    v.partialCheck(
      [["default-name"], ["reserved-names"]],
      ({ "default-name": name, "reserved-names": reserved }) =>
        name === undefined ||
        !(ALWAYS_RESERVED.includes(name) || reserved.includes(name)),
      "the name is reserved, so no tunnel can ever have it",
    ),
    ["default-name"],
  ),
  v.forward(
    v.partialCheck(
      [
        ["listen"],
        ["ingress", "embedded", "listen"],
        ["ingress", "embedded", "enabled"],
        ["admin", "listen"],
        ["admin", "enabled"],
      ],
      (input) => listenedTwice(input) === undefined,
      (issue) =>
        `${listenedTwice(issue.input)} is to be listened on twice; see also ingress.embedded.listen and admin.listen`,
    ),
    ["listen"],
  ),
);

function listenedTwice(config: {
  listen: readonly ListenAddress[];
  ingress: { embedded: { enabled: boolean; listen: readonly ListenAddress[] } };
  admin: { enabled: boolean; listen: ListenAddress };
}): string | undefined {
  const { embedded } = config.ingress;
  const addresses = [
    ...config.listen,
    ...(embedded.enabled ? embedded.listen : []),
    ...(config.admin.enabled ? [config.admin.listen] : []),
  ];
  const texts = addresses.filter(({ port }) => port > 0).map(formatListen);
  return texts.find((text, i) => texts.indexOf(text) < i);
}

/**
 * The configuration as the edge sees it: complete, checked and frozen, keys in camelCase. Sizes and lengths are in bytes
 * and characters, all of `timeouts` in milliseconds, paths absolute.
 */
export type EdgeConfig = CamelKeys<v.InferOutput<typeof configSchema>>;

/** What may be written: any part of it, in the form of the YAML file. */
export type ConfigInput = DeepPartial<v.InferInput<typeof configSchema>>;

type DeepPartial<T> = T extends readonly unknown[]
  ? T
  : T extends object
    ? { readonly [Key in keyof T]?: DeepPartial<T[Key]> }
    : T;
