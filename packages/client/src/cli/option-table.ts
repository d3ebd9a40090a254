// Every option of the CLI, written once: commander, the help texts and the test of docs/cli.md read this table.

import type { EnvironmentVariable } from "../config/environment.ts";

/** One option. */
export interface OptionSpec {
  /** As commander writes it: `-s, --subdomain <name>`. */
  flags: string;
  description: string;
  /** Environment variable that stands in when the flag is absent; read where the configuration is. */
  env?: EnvironmentVariable;
  /** What holds when neither is given, in words: shown in the help. Values are filled in where they are used. */
  default?: string;
  /** May be given several times. */
  repeatable?: boolean;
  /** Keys of options that cannot stand beside this one. */
  conflicts?: readonly OptionKey[];
}

/** Key of an option: what commander calls the parsed value. */
export type OptionKey =
  | "subdomain"
  | "url"
  | "domain"
  | "server"
  | "hostHeader"
  | "identity"
  | "upstreamCa"
  | "json"
  | "quiet"
  | "qr"
  | "acceptNewHostKey"
  | "config"
  | "color"
  | "bare"
  | "remotePort"
  | "all"
  | "inspect"
  | "inspectPort"
  | "apiToken"
  | "keepSecrets"
  | "follow"
  | "limit"
  | "body"
  | "last"
  | "filter"
  | "edit"
  | "times"
  | "upstream"
  | "sign"
  | "withoutSecrets"
  | "to"
  | "as"
  | "force"
  | "withSecrets";

export const optionTable: Readonly<Record<OptionKey, OptionSpec>> = {
  subdomain: {
    flags: "-s, --subdomain <name>",
    description: "name of the tunnel: the first label of its URL",
    default: "a random one that stays the same over reconnects",
    conflicts: ["bare"],
  },
  url: {
    flags: "--url <url>",
    description:
      "as --subdomain, written as the whole URL under the edge's domain",
    conflicts: ["subdomain", "domain", "bare"],
  },
  domain: {
    flags: "--domain <host>",
    description:
      "as --subdomain, written as the whole host name under the edge's domain",
    conflicts: ["subdomain", "url", "bare"],
  },
  server: {
    flags: "--server <user@host[:port]>",
    description: "the server, or a Host of ~/.ssh/config",
    env: "EXPOSE_SERVER",
    default: "the one of the config file, as `expose login` wrote it",
  },
  hostHeader: {
    flags: "--host-header <value>",
    description:
      "Host header that the local service sees: `preserve` (the visitor's), `rewrite` (its own address, with Origin and Referer to match), or this very value",
    default: "preserve",
    conflicts: ["bare"],
  },
  identity: {
    flags: "-i, --identity <file>",
    description: "private key file to log in with; may be given several times",
    default: "the agent's keys, then those of ~/.ssh",
    repeatable: true,
  },
  upstreamCa: {
    flags: "--upstream-ca <file>",
    description:
      "PEM file with authorities that an https:// target is verified against, beside Node's own",
  },
  json: {
    flags: "--json",
    description: "one JSON object a line on stdout for each event",
    conflicts: ["quiet", "qr"],
  },
  quiet: {
    flags: "-q, --quiet",
    description: "print the URL alone, and errors",
    conflicts: ["qr"],
  },
  qr: {
    flags: "--qr",
    description: "show the URL as a QR code",
  },
  acceptNewHostKey: {
    flags: "--accept-new-host-key",
    description:
      "pin the host key of a server that was never seen without asking; a changed key is refused always",
  },
  config: {
    flags: "--config <file>",
    description: "configuration file",
    env: "EXPOSE_CONFIG",
    default:
      "$XDG_CONFIG_HOME/expose/config.yaml, else ~/.config/expose/config.yaml",
  },
  color: {
    flags: "--no-color",
    description:
      "plain lines without colours and without a live screen (so do NO_COLOR and TERM=dumb)",
  },
  bare: {
    flags: "--bare",
    description:
      "no edge: a plain remote forward on any sshd, reached under the server's own name",
  },
  remotePort: {
    flags: "--remote-port <port>",
    description: "port of the server for --bare; 0 lets the server choose",
    default: "0",
  },
  all: {
    flags: "--all",
    description: "every tunnel of the configuration file",
  },
  follow: {
    flags: "-f, --follow",
    description: "go on with the requests that come",
  },
  inspect: {
    flags: "--no-inspect",
    description: "keep nothing of what passes, and serve no page that shows it",
  },
  inspectPort: {
    flags: "--inspect-port <port>",
    description:
      "port of 127.0.0.1 for the inspector's page; the next free one when it is taken, and 0 for any",
    default: "4040",
    conflicts: ["bare"],
  },
  apiToken: {
    flags: "--api-token <file>",
    description:
      "file with a token of yours: nothing of the inspector answers scripts without it, and it opens all of its API (or EXPOSE_API_TOKEN, which is the token itself)",
    conflicts: ["bare"],
  },
  keepSecrets: {
    flags: "--keep-secrets",
    description:
      "write secrets in headers and queries to the inspector's history too",
    conflicts: ["bare"],
  },
  limit: {
    flags: "-n, --limit <count>",
    description: "at most so many, the newest",
    default: "50",
  },
  body: {
    flags: "--body <side>",
    description:
      "write the body of the `request` or the `response` to stdout, byte for byte as it passed",
    conflicts: ["json"],
  },
  last: {
    flags: "--last [count]",
    description: "the newest request, or so many, replays left out",
  },
  filter: {
    flags: "--filter <filter>",
    description: "only requests that match; alone it means the newest of them",
  },
  edit: {
    flags: "--edit",
    description: "change the request in your editor first",
  },
  times: {
    flags: "--times <count>",
    description: "send it so often, a few at a time",
    default: "1",
  },
  upstream: {
    flags: "--upstream <target>",
    description:
      "send it to another local service, written as for `expose http`",
    default: "the one that it went to",
  },
  sign: {
    flags: "--sign <provider>",
    description:
      "sign the webhook anew, with a fresh timestamp: stripe, github, slack …",
  },
  withoutSecrets: {
    flags: "--without-secrets",
    description:
      "leave headers away whose values the history does not keep, instead of refusing",
  },
  to: {
    flags: "--to <target>",
    description:
      "send it there: a local port, host:port or unix:/path, or the URL of a tunnel",
    default: "the URL in the file",
  },
  as: {
    flags: "--as <format>",
    description: "write curl, fetch, httpie, http, vitest or har",
    default: "what the file's name says",
  },
  force: {
    flags: "--force",
    description: "write over a file that is there already",
  },
  withSecrets: {
    flags: "--with-secrets",
    description:
      "write what lets somebody in too (Authorization, Cookie and the like); left out otherwise",
  },
};
