import { filterKeys, PRODUCT_VERSION } from "@expose/protocol";
import { expect, test } from "vitest";
import { ExposeError } from "../errors.ts";
import { commandTable } from "./command-table.ts";
import { parseCommandLine, type Invocation } from "./program.ts";
import { optionTable } from "./option-table.ts";

function parse(argv: string[]): {
  invocation: Invocation | undefined;
  help: string;
} {
  let help = "";
  const invocation = parseCommandLine(argv, {
    help: (text) => (help += text),
    columns: 80,
  });
  return { invocation, help };
}

test("a command line becomes a command, its arguments and its flags", () => {
  const { invocation } = parse([
    "http",
    "8080",
    "-s",
    "shop",
    "--identity=a",
    "-i",
    "b",
    "--json",
  ]);
  expect(invocation?.command.name).toBe("http");
  expect(invocation?.args).toEqual(["8080"]);
  expect(invocation?.flags).toMatchObject({
    subdomain: "shop",
    identity: ["a", "b"],
    json: true,
    color: true,
  });
});

test("several names and none are both arguments", () => {
  expect(parse(["start", "web", "api"]).invocation?.args).toEqual([
    "web",
    "api",
  ]);
  expect(parse(["start", "--all"]).invocation?.args).toEqual([]);
});

test.each([
  [["exec", "--server", "a@b", "--", "ls", "--json", "-s"]],
  [["exec", "--server", "a@b", "ls", "--json", "-s"]],
])("%j leaves the remote command's own flags alone", (argv) => {
  const { invocation } = parse(argv);
  expect(invocation?.args).toEqual(["ls", "--json", "-s"]);
  expect(invocation?.flags.server).toBe("a@b");
});

test.each([
  [["http"], "Missing required argument 'target'."],
  [
    ["http", "1", "2"],
    "Too many arguments for 'http'. Expected 1 argument but got 2.",
  ],
  [
    ["http", "1", "--subdomian", "x"],
    "Unknown option '--subdomian'. Did you mean --subdomain?",
  ],
  [
    ["http", "1", "--subdomain"],
    "Option '-s, --subdomain <name>' argument missing.",
  ],
  [
    ["http", "1", "--json", "--quiet"],
    "Option '--json' cannot be used with option '-q, --quiet'.",
  ],
  [
    ["http", "1", "-s", "a", "--url", "b"],
    "Option '--url <url>' cannot be used with option '-s, --subdomain <name>'.",
  ],
  [["start", "--subdomain", "x"], "Unknown option '--subdomain'."],
])("%j is refused with one sentence", (argv, message) => {
  try {
    parse(argv);
    expect.unreachable();
  } catch (error) {
    expect(error).toBeInstanceOf(ExposeError);
    expect((error as ExposeError).code).toBe("usage-invalid");
    expect((error as ExposeError).message).toBe(
      `${message} \`expose --help\` lists the commands and \`expose <command> --help\` their options.`,
    );
  }
});

test("help and version leave nothing to do", () => {
  expect(parse(["--version"])).toEqual({
    invocation: undefined,
    help: `${PRODUCT_VERSION}\n`,
  });
  expect(parse(["help", "http"]).help).toBe(parse(["http", "--help"]).help);
});

test("the help of the program", () => {
  expect(`\n${parse(["--help"]).help}`).toMatchInlineSnapshot(`
    "
    Usage: expose <target|command> [options]

    A public URL for a local port, through your own server, over SSH.

    Options:
      -V, --version                  print the version
      -h, --help                     print the help

    Commands:
      http [options] <target>        give a local port, URL, socket or folder a
                                     public URL
      start [options] [names...]     open tunnels of the configuration file over one
                                     session
      logs [options] [filter...]     list the requests that passed
      show [options] <id>            show one request and its response
      replay [options] [id]          send requests again, and compare the answers
      save [options] <id> <file>     write a request into a file
      send [options] <file>          send a .http file, and show the answers
      login [options] <server>       try a server, pin its host key and make it the
                                     default
      doctor [options] [target]      check the configuration, the keys, the server
                                     and the local port
      local [options] <forwards...>  listen on a local port and lead it to what the
                                     server can reach
      exec [options] <command...>    run a command on the server
      help [command]                 print the help of a command

    Examples:
      expose login alice@tunnel.example.com:2222   once
      expose 8080                                  short for \`expose http 8080\`
      expose ./dist --subdomain demo
    "
  `);
});

test("the help of http", () => {
  expect(`\n${parse(["http", "--help"]).help}`).toMatchInlineSnapshot(`
    "
    Usage: expose http [options] <target>

    Give a local port, URL, socket or folder a public URL. \`expose 8080\` is short
    for \`expose http 8080\`.

    Arguments:
      target                       8080, host:port, http://…, https://…,
                                   https+insecure://…, unix:/path, or a folder such
                                   as ./dist

    Options:
      -s, --subdomain <name>       name of the tunnel: the first label of its URL
                                   (default: a random one that stays the same over
                                   reconnects)
      --url <url>                  as --subdomain, written as the whole URL under
                                   the edge's domain
      --domain <host>              as --subdomain, written as the whole host name
                                   under the edge's domain
      --host-header <value>        Host header that the local service sees:
                                   \`preserve\` (the visitor's), \`rewrite\` (its own
                                   address, with Origin and Referer to match), or
                                   this very value (default: preserve)
      --upstream-ca <file>         PEM file with authorities that an https:// target
                                   is verified against, beside Node's own
      --bare                       no edge: a plain remote forward on any sshd,
                                   reached under the server's own name
      --remote-port <port>         port of the server for --bare; 0 lets the server
                                   choose (default: 0)
      --no-inspect                 keep nothing of what passes, and serve no page
                                   that shows it
      --inspect-port <port>        port of 127.0.0.1 for the inspector's page; the
                                   next free one when it is taken, and 0 for any
                                   (default: 4040)
      --api-token <file>           file with a token of yours: nothing of the
                                   inspector answers scripts without it, and it
                                   opens all of its API (or EXPOSE_API_TOKEN, which
                                   is the token itself)
      --keep-secrets               write secrets in headers and queries to the
                                   inspector's history too
      --server <user@host[:port]>  the server, or a Host of ~/.ssh/config (default:
                                   the one of the config file, as \`expose login\`
                                   wrote it; env: EXPOSE_SERVER)
      -i, --identity <file>        private key file to log in with; may be given
                                   several times (default: the agent's keys, then
                                   those of ~/.ssh)
      --accept-new-host-key        pin the host key of a server that was never seen
                                   without asking; a changed key is refused always
      --config <file>              configuration file (default:
                                   $XDG_CONFIG_HOME/expose/config.yaml, else
                                   ~/.config/expose/config.yaml; env: EXPOSE_CONFIG)
      --json                       one JSON object a line on stdout for each event
      -q, --quiet                  print the URL alone, and errors
      --qr                         show the URL as a QR code
      --no-color                   plain lines without colours and without a live
                                   screen (so do NO_COLOR and TERM=dumb)
      -h, --help                   print this help

    Examples:
      expose 8080
      expose 8080 --subdomain shop
      expose http https://localhost:8443 --upstream-ca ca.pem
      expose ./dist --qr
      expose 8080 --bare --server root@vps.example.com --remote-port 23000
    "
  `);
});

test("the help of start", () => {
  expect(`\n${parse(["start", "--help"]).help}`).toMatchInlineSnapshot(`
    "
    Usage: expose start [options] [names...]

    Open tunnels of the configuration file over one session.

    Arguments:
      names                        tunnels of the configuration file

    Options:
      --all                        every tunnel of the configuration file
      --no-inspect                 keep nothing of what passes, and serve no page
                                   that shows it
      --inspect-port <port>        port of 127.0.0.1 for the inspector's page; the
                                   next free one when it is taken, and 0 for any
                                   (default: 4040)
      --api-token <file>           file with a token of yours: nothing of the
                                   inspector answers scripts without it, and it
                                   opens all of its API (or EXPOSE_API_TOKEN, which
                                   is the token itself)
      --keep-secrets               write secrets in headers and queries to the
                                   inspector's history too
      --server <user@host[:port]>  the server, or a Host of ~/.ssh/config (default:
                                   the one of the config file, as \`expose login\`
                                   wrote it; env: EXPOSE_SERVER)
      -i, --identity <file>        private key file to log in with; may be given
                                   several times (default: the agent's keys, then
                                   those of ~/.ssh)
      --accept-new-host-key        pin the host key of a server that was never seen
                                   without asking; a changed key is refused always
      --config <file>              configuration file (default:
                                   $XDG_CONFIG_HOME/expose/config.yaml, else
                                   ~/.config/expose/config.yaml; env: EXPOSE_CONFIG)
      --json                       one JSON object a line on stdout for each event
      -q, --quiet                  print the URL alone, and errors
      --qr                         show the URL as a QR code
      --no-color                   plain lines without colours and without a live
                                   screen (so do NO_COLOR and TERM=dumb)
      -h, --help                   print this help

    Examples:
      expose start web api
      expose start --all
    "
  `);
});

test("the help of login", () => {
  expect(`\n${parse(["login", "--help"]).help}`).toMatchInlineSnapshot(`
    "
    Usage: expose login [options] <server>

    Try a server, pin its host key and make it the default.

    Arguments:
      server                 user@host[:port]

    Options:
      -i, --identity <file>  private key file to log in with; may be given several
                             times (default: the agent's keys, then those of ~/.ssh)
      --accept-new-host-key  pin the host key of a server that was never seen
                             without asking; a changed key is refused always
      --config <file>        configuration file (default:
                             $XDG_CONFIG_HOME/expose/config.yaml, else
                             ~/.config/expose/config.yaml; env: EXPOSE_CONFIG)
      --json                 one JSON object a line on stdout for each event
      -h, --help             print this help

    Examples:
      expose login alice@tunnel.example.com:2222
    "
  `);
});

test("the help of doctor", () => {
  expect(`\n${parse(["doctor", "--help"]).help}`).toMatchInlineSnapshot(`
    "
    Usage: expose doctor [options] [target]

    Check the configuration, the keys, the server and the local port.

    Arguments:
      target                       local service to look at, written as for \`expose
                                   http\`

    Options:
      -s, --subdomain <name>       name of the tunnel: the first label of its URL
                                   (default: a random one that stays the same over
                                   reconnects)
      --server <user@host[:port]>  the server, or a Host of ~/.ssh/config (default:
                                   the one of the config file, as \`expose login\`
                                   wrote it; env: EXPOSE_SERVER)
      -i, --identity <file>        private key file to log in with; may be given
                                   several times (default: the agent's keys, then
                                   those of ~/.ssh)
      --accept-new-host-key        pin the host key of a server that was never seen
                                   without asking; a changed key is refused always
      --config <file>              configuration file (default:
                                   $XDG_CONFIG_HOME/expose/config.yaml, else
                                   ~/.config/expose/config.yaml; env: EXPOSE_CONFIG)
      --json                       one JSON object a line on stdout for each event
      --no-color                   plain lines without colours and without a live
                                   screen (so do NO_COLOR and TERM=dumb)
      -h, --help                   print this help

    Examples:
      expose doctor
      expose doctor 8080 --subdomain shop --json
    "
  `);
});

test("the help of local", () => {
  expect(`\n${parse(["local", "--help"]).help}`).toMatchInlineSnapshot(`
    "
    Usage: expose local [options] <forwards...>

    Listen on a local port and lead it to what the server can reach.

    Arguments:
      forwards                     [bind:]port:host:port, as for ssh -L

    Options:
      --server <user@host[:port]>  the server, or a Host of ~/.ssh/config (default:
                                   the one of the config file, as \`expose login\`
                                   wrote it; env: EXPOSE_SERVER)
      -i, --identity <file>        private key file to log in with; may be given
                                   several times (default: the agent's keys, then
                                   those of ~/.ssh)
      --accept-new-host-key        pin the host key of a server that was never seen
                                   without asking; a changed key is refused always
      --config <file>              configuration file (default:
                                   $XDG_CONFIG_HOME/expose/config.yaml, else
                                   ~/.config/expose/config.yaml; env: EXPOSE_CONFIG)
      --json                       one JSON object a line on stdout for each event
      -q, --quiet                  print the URL alone, and errors
      --no-color                   plain lines without colours and without a live
                                   screen (so do NO_COLOR and TERM=dumb)
      -h, --help                   print this help

    Examples:
      expose local 7777:localhost:7780 --server root@vps.example.com
    "
  `);
});

test("the help of exec", () => {
  expect(`\n${parse(["exec", "--help"]).help}`).toMatchInlineSnapshot(`
    "
    Usage: expose exec [options] <command...>

    Run a command on the server. Passes stdin, stdout and stderr through and ends
    with the command's exit status.

    Arguments:
      command                      for the server's shell, joined by blanks as ssh
                                   does

    Options:
      --server <user@host[:port]>  the server, or a Host of ~/.ssh/config (default:
                                   the one of the config file, as \`expose login\`
                                   wrote it; env: EXPOSE_SERVER)
      -i, --identity <file>        private key file to log in with; may be given
                                   several times (default: the agent's keys, then
                                   those of ~/.ssh)
      --accept-new-host-key        pin the host key of a server that was never seen
                                   without asking; a changed key is refused always
      --config <file>              configuration file (default:
                                   $XDG_CONFIG_HOME/expose/config.yaml, else
                                   ~/.config/expose/config.yaml; env: EXPOSE_CONFIG)
      -h, --help                   print this help

    Examples:
      expose exec --server root@vps.example.com -- uname -a
    "
  `);
});

test("the examples of the help are understood", () => {
  for (const { name, examples } of commandTable)
    for (const example of examples) {
      const [program, ...argv] = example.split(" ");
      expect(program).toBe("expose");
      const { invocation } = parse(argv[0] === name ? argv : ["http", ...argv]);
      expect(invocation?.command.name).toBe(name);
    }
});

test("every option belongs to a command, and conflicts name options that exist", () => {
  const used = new Set(commandTable.flatMap(({ options }) => options));
  for (const [key, { conflicts = [] }] of Object.entries(optionTable)) {
    expect(used).toContain(key);
    for (const other of conflicts) expect(optionTable).toHaveProperty(other);
  }
});

test("whoever gives the port as to other programs is told how it is written here", () => {
  for (const argv of [
    ["http", "--port", "8080"],
    ["http", "-p", "8080"],
  ])
    expect(() => parse(argv)).toThrow(
      "A port is written without an option: expose 8080.",
    );
});

test("the help of logs has every key of the filter language", () => {
  const { help } = parse(["logs", "--help"]);
  for (const { example, meaning } of filterKeys) {
    expect(help).toContain(example);
    expect(help).toContain(meaning.replaceAll("`", ""));
  }
});
