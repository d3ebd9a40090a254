// The table of all commands. A command's code is loaded when it is run and not before: ssh2 and the parsers cost more
// time than `expose --help` may take.
import type { CommandSpec } from "./command.ts";
import { filterHelp } from "./filter-help.ts";
import type { OptionKey } from "./option-table.ts";

const connectionOptions = [
  "server",
  "identity",
  "acceptNewHostKey",
  "config",
] as const satisfies OptionKey[];

const inspectOptions = [
  "inspect",
  "inspectPort",
  "apiToken",
  "keepSecrets",
] as const satisfies OptionKey[];

/** The commands, in the order of the help. */
export const commandTable: readonly CommandSpec[] = [
  {
    name: "http",
    args: [
      {
        name: "<target>",
        description:
          "8080, host:port, http://…, https://…, https+insecure://…, unix:/path, or a folder such as ./dist",
      },
    ],
    summary: "give a local port, URL, socket or folder a public URL",
    description: "`expose 8080` is short for `expose http 8080`.",
    options: [
      "subdomain",
      "url",
      "domain",
      "hostHeader",
      "upstreamCa",
      "bare",
      "remotePort",
      ...inspectOptions,
      ...connectionOptions,
      "json",
      "quiet",
      "qr",
      "color",
    ],
    examples: [
      "expose 8080",
      "expose 8080 --subdomain shop",
      "expose http https://localhost:8443 --upstream-ca ca.pem",
      "expose ./dist --qr",
      "expose 8080 --bare --server root@vps.example.com --remote-port 23000",
    ],
    load: () => import("./commands/http.ts"),
  },
  {
    name: "start",
    args: [
      {
        name: "[names...]",
        description: "tunnels of the configuration file",
      },
    ],
    summary: "open tunnels of the configuration file over one session",
    options: [
      "all",
      ...inspectOptions,
      ...connectionOptions,
      "json",
      "quiet",
      "qr",
      "color",
    ],
    examples: ["expose start web api", "expose start --all"],
    load: () => import("./commands/start.ts"),
  },
  {
    name: "logs",
    args: [
      {
        name: "[filter...]",
        description: "as in the page: status:>=400 method:POST path:/hook …",
      },
    ],
    summary: "list the requests that passed",
    description:
      "Asks the running clients. A filter that begins with a hyphen goes behind `--`.",
    options: ["follow", "limit", "json"],
    notes: filterHelp,
    examples: [
      "expose logs",
      "expose logs --follow status:>=500",
      "expose logs --json method:POST path:/webhooks/*",
    ],
    load: () => import("./commands/logs.ts"),
  },
  {
    name: "show",
    args: [
      {
        name: "<id>",
        description: "of `expose logs`; `last` is the newest",
      },
    ],
    summary: "show one request and its response",
    options: ["body", "json"],
    examples: [
      "expose show last",
      "expose show 01K9Z3V7Q2M4N6P8R0S2T4V6X8 --body response",
    ],
    load: () => import("./commands/show.ts"),
  },
  {
    name: "replay",
    args: [{ name: "[id]", description: "of `expose logs`" }],
    summary: "send requests again, and compare the answers",
    description:
      "The status is 1 when an answer is of another class (2xx, 4xx …) than before, or missing.",
    options: [
      "last",
      "filter",
      "edit",
      "times",
      "upstream",
      "sign",
      "withoutSecrets",
      "json",
    ],
    examples: [
      "expose replay 01K9Z3V7Q2M4N6P8R0S2T4V6X8",
      "expose replay --last --edit",
      "expose replay --last 20 --filter path:/webhooks/*",
      "expose replay --last --upstream localhost:9090 --json",
    ],
    load: () => import("./commands/replay.ts"),
  },
  {
    name: "save",
    args: [
      { name: "<id>", description: "of `expose logs`; `last` is the newest" },
      {
        name: "<file>",
        description:
          "its end says what is written: .http, .har, .sh (curl), .test.ts (Vitest), .mjs (fetch); `-` is stdout",
      },
    ],
    summary: "write a request into a file",
    options: ["as", "withSecrets", "force"],
    examples: [
      "expose save last fixtures/checkout.http",
      "expose save 01K9Z3V7Q2M4N6P8R0S2T4V6X8 order.test.ts",
      "expose save last - --as curl",
    ],
    load: () => import("./commands/save.ts"),
  },
  {
    name: "send",
    args: [{ name: "<file>", description: "a .http file" }],
    summary: "send a .http file, and show the answers",
    description: "The status is 1 when an answer is 4xx or 5xx.",
    options: ["to", "sign", "config", "json"],
    examples: [
      "expose send fixtures/checkout.http --to 8080",
      "expose send fixtures/checkout.http --sign stripe",
    ],
    load: () => import("./commands/send.ts"),
  },
  {
    name: "login",
    args: [{ name: "<server>", description: "user@host[:port]" }],
    summary: "try a server, pin its host key and make it the default",
    options: ["identity", "acceptNewHostKey", "config", "json"],
    examples: ["expose login alice@tunnel.example.com:2222"],
    load: () => import("./commands/login.ts"),
  },
  {
    name: "doctor",
    args: [
      {
        name: "[target]",
        description: "local service to look at, written as for `expose http`",
      },
    ],
    summary: "check the configuration, the keys, the server and the local port",
    options: ["subdomain", ...connectionOptions, "json", "color"],
    examples: ["expose doctor", "expose doctor 8080 --subdomain shop --json"],
    load: () => import("./commands/doctor.ts"),
  },
  {
    name: "local",
    args: [
      {
        name: "<forwards...>",
        description: "[bind:]port:host:port, as for ssh -L",
      },
    ],
    summary: "listen on a local port and lead it to what the server can reach",
    options: [...connectionOptions, "json", "quiet", "color"],
    examples: [
      "expose local 7777:localhost:7780 --server root@vps.example.com",
    ],
    load: () => import("./commands/local.ts"),
  },
  {
    name: "exec",
    args: [
      {
        name: "<command...>",
        description: "for the server's shell, joined by blanks as ssh does",
      },
    ],
    summary: "run a command on the server",
    description:
      "Passes stdin, stdout and stderr through and ends with the command's exit status.",
    options: [...connectionOptions],
    examples: ["expose exec --server root@vps.example.com -- uname -a"],
    passThrough: true,
    endsInItsOwnTime: true,
    load: () => import("./commands/exec.ts"),
  },
];
