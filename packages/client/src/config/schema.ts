// What may stand in the client's configuration file. Types, messages and documentation derive from here.
import {
  explainInvalidName,
  parseUpstreamSpec,
  UpstreamSpecError,
} from "@expose/protocol";
import * as v from "valibot";

/** Kinds of values, as the documentation names them. */
export type ValueKind =
  | "TEXT"
  | "PATH"
  | "PATHS"
  | "true|false"
  | "NUMBER"
  | "BYTES"
  | "TARGET"
  | "sha1|sha256|sha384|sha512"
  | "hex|base64"
  | "text|hex|base64";

const text = (kind: ValueKind, description: string) =>
  v.pipe(
    v.string("expected text"),
    v.nonEmpty("expected text, and this is empty"),
    v.metadata({ kind }),
    v.description(description),
  );

const aPath = v.pipe(
  v.string(),
  v.nonEmpty("expected a path, and this is empty"),
);

const paths = (description: string) =>
  v.pipe(
    v.union(
      [
        v.pipe(
          aPath,
          v.transform((path) => [path]),
        ),
        v.array(aPath),
      ],
      "expected a path or a list of paths",
    ),
    v.metadata({ kind: "PATHS" satisfies ValueKind }),
    v.description(description),
  );

const target = (description: string) =>
  v.pipe(
    // YAML reads 8080 as a number.
    v.union(
      [v.string(), v.pipe(v.number(), v.transform(String))],
      "expected a port, host:port, a URL, unix:/path or a folder",
    ),
    v.rawTransform(({ dataset, addIssue, NEVER }) => {
      try {
        return parseUpstreamSpec(dataset.value);
      } catch (error) {
        if (!(error instanceof UpstreamSpecError)) throw error;
        addIssue({ message: error.message.replace(/\.$/, "") });
        return NEVER;
      }
    }),
    v.metadata({ kind: "TARGET" satisfies ValueKind }),
    v.description(description),
  );

const name = (description: string) =>
  v.pipe(
    v.string("expected text (put a number into quotes)"),
    v.check(
      (value) => explainInvalidName(value) === undefined,
      (issue) => (explainInvalidName(issue.input) ?? "").replace(/\.$/, ""),
    ),
    v.metadata({ kind: "TEXT" satisfies ValueKind }),
    v.description(description),
  );

/** One tunnel of the file. */
export const tunnelSchema = v.pipe(
  v.strictObject({
    upstream: v.optional(
      target(
        "Where the tunnel leads, written as for `expose http`. Required; `addr` and `port` are other words for it.",
      ),
    ),
    addr: v.optional(target("As `upstream`, which ngrok calls so.")),
    port: v.optional(target("As `upstream`.")),
    name: v.optional(
      name(
        "Name of the tunnel: the first label of its URL. Default: a random one that stays the same over reconnects.",
      ),
    ),
    subdomain: v.optional(name("As `name`, which ngrok calls so.")),
    "host-header": v.optional(
      v.pipe(
        text(
          "TEXT",
          "Host header that the local service sees: `preserve` (the visitor's, the default), `rewrite` (its own address, with Origin and Referer to match), or this very value.",
        ),
        v.regex(
          /^[\x21-\x7e]{1,260}$/,
          "expected preserve, rewrite or a host name",
        ),
      ),
    ),
    "upstream-ca": v.optional(
      text(
        "PATH",
        "PEM file with authorities that an `https://` target is verified against, beside Node's own.",
      ),
    ),
  }),
  v.check(
    ({ upstream, addr, port }) =>
      [upstream, addr, port].filter((value) => value !== undefined).length ===
      1,
    "expected one of upstream, addr and port",
  ),
  v.check(
    (tunnel) => tunnel.name === undefined || tunnel.subdomain === undefined,
    "expected name or subdomain, not both",
  ),
);

const oneOf = <const T extends readonly string[]>(
  kind: ValueKind,
  words: T,
  description: string,
) =>
  v.pipe(
    v.picklist(words, `expected ${words.join(", ")}`),
    v.metadata({ kind }),
    v.description(description),
  );

/** How one provider of webhooks is checked. */
export const webhookSchema = v.strictObject({
  "secret-env": v.optional(
    v.pipe(
      text(
        "TEXT",
        "Environment variable that holds the secret. Default: `EXPOSE_WEBHOOK_SECRET_` and the name in capitals.",
      ),
      v.regex(
        /^[A-Za-z_][A-Za-z0-9_]*$/,
        "expected the name of an environment variable, not the secret itself",
      ),
    ),
  ),
  header: v.optional(
    v.pipe(
      text(
        "TEXT",
        "Header with the signature. With it, NAME is a provider of its own: an HMAC of the body.",
      ),
      v.regex(/^[\w!#$%&'*+.^`|~-]{1,100}$/, "expected the name of a header"),
    ),
  ),
  algorithm: v.optional(
    oneOf(
      "sha1|sha256|sha384|sha512",
      ["sha1", "sha256", "sha384", "sha512"],
      "Hash of that HMAC. Default: `sha256`.",
    ),
  ),
  encoding: v.optional(
    oneOf(
      "hex|base64",
      ["hex", "base64"],
      "How the signature is written. Default: `hex`.",
    ),
  ),
  prefix: v.optional(
    text("TEXT", "What stands before it in the header, such as `sha256=`."),
  ),
  "secret-encoding": v.optional(
    oneOf(
      "text|hex|base64",
      ["text", "hex", "base64"],
      "What the secret is: the key itself, or its hex or base64. Default: `text`.",
    ),
  ),
});

const flag = (description: string) =>
  v.pipe(
    v.boolean("expected true or false"),
    v.metadata({ kind: "true|false" satisfies ValueKind }),
    v.description(description),
  );

const number = (least: number, most: number, description: string) =>
  v.pipe(
    v.number("expected a number"),
    v.integer("expected a whole number"),
    v.minValue(least, `expected a number from ${least} to ${most}`),
    v.maxValue(most, `expected a number from ${least} to ${most}`),
    v.metadata({ kind: "NUMBER" satisfies ValueKind }),
    v.description(description),
  );

const UNITS = { "": 1, K: 1_024, M: 1_024 ** 2, G: 1_024 ** 3 } as const;

const bytes = (least: number, description: string) =>
  v.pipe(
    v.union(
      [v.pipe(v.number(), v.transform(String)), v.string()],
      "expected a size such as 64M",
    ),
    v.regex(/^\d{1,9}[KMG]?$/, "expected a size such as 64M"),
    v.transform((text) => {
      const unit = /[KMG]$/.exec(text)?.[0] ?? "";
      return Number.parseInt(text, 10) * UNITS[unit as keyof typeof UNITS];
    }),
    v.minValue(least, `expected at least ${least} bytes`),
    v.metadata({ kind: "BYTES" satisfies ValueKind }),
    v.description(description),
  );

/** The history of the inspector. */
export const historySchema = v.strictObject({
  enabled: v.optional(
    flag("Keep what passed on disk, for later runs. Default: `true`."),
  ),
  "max-bytes": v.optional(
    bytes(
      1_024 * 1_024,
      "Size that its file never grows beyond, such as `64M`; the oldest go first. Default: `256M`.",
    ),
  ),
  "max-exchanges": v.optional(
    number(1, 10_000_000, "How many requests it keeps. Default: 50000."),
  ),
  "max-age-days": v.optional(
    number(1, 36_500, "How long it keeps them. Default: 7."),
  ),
  "max-body-bytes": v.optional(
    bytes(
      0,
      "How much of each body is kept, in memory too; the rest is counted. Default: `1M`.",
    ),
  ),
});

/** The inspector. */
export const inspectSchema = v.strictObject({
  enabled: v.optional(
    flag(
      "Keep what passes the tunnels, and show it on a page of this machine. Default: `true`.",
    ),
  ),
  port: v.optional(
    number(
      0,
      65_535,
      "Port of 127.0.0.1 for the page; the next free one when it is taken, and 0 for any. Default: 4040.",
    ),
  ),
  "keep-secrets": v.optional(
    flag(
      "Write secrets in headers and queries to the history too. In memory they are kept in any case. Default: `false`.",
    ),
  ),
  history: v.optional(historySchema),
});

/** The whole file. */
export const configSchema = v.strictObject({
  server: v.optional(
    text(
      "TEXT",
      "The server: `user@host[:port]`, or a Host of `~/.ssh/config`. `expose login` writes it.",
    ),
  ),
  identity: v.optional(
    paths(
      "Private key files to log in with at this `server`, in place of the agent's keys and those of `~/.ssh`. Not offered to another server that a flag or a variable names.",
    ),
  ),
  "accept-new-host-key": v.optional(
    v.pipe(
      v.boolean("expected true or false"),
      v.metadata({ kind: "true|false" satisfies ValueKind }),
      v.description(
        "Pin the host key of a server that was never seen without asking. A changed key is refused always. Default: `false`.",
      ),
    ),
  ),
  "known-hosts": v.optional(
    paths(
      "known_hosts files; new keys are written to the first. Default: `~/.config/expose/known_hosts`, then ssh's own.",
    ),
  ),
  tunnels: v.optional(
    v.pipe(
      v.record(
        v.pipe(
          v.string(),
          v.regex(
            /^[a-z0-9][a-z0-9._-]*$/i,
            "the name of a tunnel has letters, digits, dots, hyphens and underscores, and begins with one of the first two",
          ),
        ),
        tunnelSchema,
        "expected tunnels by their names",
      ),
      v.description("Tunnels for `expose start NAME… | --all`, by name."),
    ),
  ),
  inspect: v.optional(v.pipe(inspectSchema, v.description("The inspector."))),
  webhooks: v.optional(
    v.pipe(
      v.record(
        v.pipe(
          v.string(),
          v.regex(
            /^[a-z][a-z0-9-]{0,39}$/,
            "the name of a provider has lower-case letters, digits and hyphens, and begins with a letter",
          ),
        ),
        webhookSchema,
        "expected providers by their names",
      ),
      v.description("How webhooks are checked, by provider."),
    ),
  ),
});

/** The file's content, checked. */
export type ConfigFile = v.InferOutput<typeof configSchema>;
