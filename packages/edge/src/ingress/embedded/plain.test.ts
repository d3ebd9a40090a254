// Plain OpenSSH clients: no client of ours installed, a tunnel all the same.
import { once } from "node:events";
import { connect, createServer, type AddressInfo } from "node:net";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import {
  closeOf,
  useEmbeddedIngress,
  type EmbeddedUnderTest,
} from "./test-support.ts";
import {
  startSsh,
  useSshKey,
  type SshOptions,
} from "../../../../../test/harness/openssh-client.ts";
import type { RunningProgram } from "../../../../../test/harness/processes.ts";
import type { RequestRecord } from "../../access-log/record.ts";
import type { Forward } from "../forward.ts";
import { ControlRefusal } from "../handlers.ts";
import type { EmbeddedLimits } from "./options.ts";

const visitor = { address: "192.0.2.7", port: 4711 };

describe("ssh -R", () => {
  it.each([
    ["80:localhost:PORT", undefined, 80],
    ["443:localhost:PORT", undefined, 443],
    ["*:80:localhost:PORT", undefined, 80],
    ["127.0.0.1:80:localhost:PORT", undefined, 80],
    ["shop:80:localhost:PORT", "shop", 80],
    ["0:localhost:PORT", undefined, 1_024],
    ["shop:0:localhost:PORT", "shop", 1_024],
  ])(
    "with %s opens a tunnel that reaches the local service",
    async (forward, name, port) => {
      const local = await useEchoServer();
      const { edge, ssh } = await start(["-R", forward], { local });
      await ssh.waitFor(/^http:\/\/\w+\.test$/m);
      expect(edge.plain).toHaveLength(1);
      expect(edge.plain[0]).toMatchObject({ name, forward: { port } });
      expect(edge.plain[0]!.session.identity.id).toBe("alice");
      expect(edge.plain[0]!.session.remoteAddress).toBe("127.0.0.1");
      expect(await exchange(edge.plain[0]!.forward, "hello")).toBe("hello");
    },
  );

  it("carries several forwards at once, each to its own service", async () => {
    const one = await useEchoServer("one ");
    const two = await useEchoServer("two ");
    const { edge, ssh } = await start([
      ...["-R", `a:80:127.0.0.1:${one}`],
      ...["-R", `b:80:127.0.0.1:${two}`],
      ...["-R", `0:127.0.0.1:${two}`],
    ]);
    await ssh.waitFor(/a\.test[^]*b\.test[^]*random\.test/);
    const answers = edge.plain.map(({ forward }) => exchange(forward, "x"));
    expect(await Promise.all(answers)).toEqual(["one x", "two x", "two x"]);
  });

  it("works with -N, without any session", async () => {
    const local = await useEchoServer();
    const { edge } = await start(["-N", "-R", "80:localhost:PORT"], { local });
    await edge.until(() => edge.plain.length === 1);
    expect(await exchange(edge.plain[0]!.forward, "hello")).toBe("hello");
  });

  it.each([
    ["no input", [], "ignore"],
    ["-n", ["-n"], "pipe"],
    ["a pseudo-terminal", ["-tt"], "pipe"],
  ] as const)("works with %s", async (_, args, stdin) => {
    const local = await useEchoServer();
    const { edge, ssh } = await start([...args, "-R", "80:localhost:PORT"], {
      local,
      stdin,
    });
    await ssh.waitFor(/random\.test/);
    expect(await exchange(edge.plain[0]!.forward, "hello")).toBe("hello");
    expect(edge.plain[0]!.forward.closed).toBe(false);
  });

  it("works with a command in place of a shell", async () => {
    const { ssh } = await start(["-R", "80:localhost:9"], {
      command: ["uname", "-a"],
    });
    await ssh.waitFor(/random\.test/);
    expect(ssh.stdout).toBe("http://random.test\n");
  });

  it("can be used from the moment that the tunnel opens", async () => {
    const local = await useEchoServer();
    const answers: Promise<string>[] = [];
    const { edge } = await start(["-R", "0:localhost:PORT"], {
      local,
      // The client does not know its port yet: our answer is still to come.
      opening: (forward) => void answers.push(exchange(forward, "hello")),
    });
    await edge.until(() => answers.length === 1);
    expect(await answers[0]).toBe("hello");
  });

  it("says which service is down when the local port is closed", async () => {
    const closed = await freePort();
    const { edge, ssh } = await start(["-R", `80:127.0.0.1:${closed}`]);
    await ssh.waitFor(/random\.test/);
    await expect(edge.plain[0]!.forward.connect(visitor)).rejects.toMatchObject(
      { code: "forward-failed", upstreamDown: true },
    );
  });
});

describe("the session of a plain client", () => {
  it("prints a line per request, with nothing of the visitor's that could steer a terminal", async () => {
    const { edge, ssh } = await start(["-R", "80:localhost:9"]);
    await ssh.waitFor(/random\.test/);
    edge.plain[0]!.observer!(
      record({
        method: "G\u001b[2JET",
        target: "/a?token=secret",
        status: 201,
      }),
    );
    edge.plain[0]!.observer!(record({ status: 0, error: "upstream-down" }));
    await ssh.waitFor(/upstream-down/);
    expect(ssh.stdout.split("\n").slice(1, 3)).toEqual([
      "12:00:00 G\\u001b[2JET /a?token=… 201 12 ms",
      "12:00:00 GET / gone upstream-down 12 ms",
    ]);
  });

  it("ends lines with CR LF in a pseudo-terminal", async () => {
    const { ssh } = await start(["-tt", "-R", "80:localhost:9"]);
    await ssh.waitFor(/random\.test\s/);
    expect(ssh.stdout).toBe("http://random.test\r\n");
  });

  it("prints at most 100 requests a second, and how many it left out", async () => {
    const { edge, ssh } = await start(["-R", "80:localhost:9"]);
    await ssh.waitFor(/random\.test/);
    const observe = edge.plain[0]!.observer!;
    for (let i = 0; i < 250; i++) observe(record({ target: `/${i}` }));
    observe(record({ target: "/next", startedAt: START + 1_000 }));
    await ssh.waitFor(/\/next/);
    expect(ssh.stdout).toContain("/99 ");
    expect(ssh.stdout).not.toContain("/100 ");
    expect(ssh.stdout).toContain("(150 more requests)\n");
  });

  it("drops lines and holds nothing for a client that does not read", async () => {
    const { edge, ssh } = await start(["-R", "80:localhost:9"]);
    await ssh.waitFor(/random\.test/);
    const observe = edge.plain[0]!.observer!;
    ssh.kill("SIGSTOP");
    const target = `/${"x".repeat(10_000)}`;
    let second = 0;
    for (; second < 20; second++)
      for (let i = 0; i < 100; i++)
        observe(record({ target, startedAt: START + second * 1_000 }));
    ssh.kill("SIGCONT");
    const left = /\((\d+) more requests\)/;
    // It says so with the first line for which there is room again.
    while (!left.test(ssh.stdout)) {
      observe(
        record({ target: "/again", startedAt: START + ++second * 1_000 }),
      );
      await once(ssh.child.stdout!, "data");
    }
    expect(ssh.stdout.length).toBeLessThan(4 * 1024 ** 2);
    expect(Number(left.exec(ssh.stdout)![1])).toBeGreaterThan(1_000);
  });

  it.each([
    ["Ctrl-C in a pseudo-terminal", "\u0003"],
    ["Ctrl-C among other keys", "abc\u0003"],
  ])("ends with %s, with exit status 0 and the name free", async (_, keys) => {
    const { edge, ssh } = await start(["-tt", "-R", "80:localhost:9"]);
    await ssh.waitFor(/random\.test/);
    ssh.child.stdin!.write(keys);
    expect((await ssh.exited).code).toBe(0);
    expect(edge.plain[0]).toMatchObject({
      closed: true,
      forward: { closed: true },
    });
  });

  it("takes a byte 3 for data when there is no pseudo-terminal", async () => {
    const { edge, ssh } = await start(["-R", "80:localhost:9"]);
    await ssh.waitFor(/random\.test/);
    ssh.child.stdin!.write("\u0003");
    edge.plain[0]!.observer!(record({ target: "/still-here" }));
    await ssh.waitFor(/still-here/);
    expect(edge.plain[0]!.forward.closed).toBe(false);
  });

  it("says why a name is refused, and ends with exit status 1", async () => {
    const { edge, ssh } = await start(["-R", "shop:80:localhost:9"], {
      refuse: "The name shop belongs to bob\u001b[1m.",
    });
    const { code } = await ssh.exited;
    expect(code).toBe(1);
    expect(ssh.stderr).toContain("The name shop belongs to bob\\u001b[1m.");
    expect(edge.plain).toHaveLength(0);
  });

  it("says why a name is refused with the disconnect when there is no session", async () => {
    const { ssh } = await start(["-N", "-R", "shop:80:localhost:9"], {
      refuse: "The name shop belongs to bob.",
    });
    await ssh.exited;
    expect(ssh.stderr).toContain("The name shop belongs to bob.");
  });

  it("keeps the tunnels that opened when another one is refused", async () => {
    const { edge, ssh } = await start([
      ...["-R", "80:localhost:9"],
      ...["-R", "2222:localhost:9"],
    ]);
    await ssh.waitFor(/random\.test/);
    await ssh.waitFor(/Port 2222 cannot be forwarded here/);
    expect(edge.plain[0]!.forward.closed).toBe(false);
  });

  it("refuses the same forward twice, since the client could not tell them apart", async () => {
    const { edge, ssh } = await start([
      ...["-R", "80:localhost:9"],
      ...["-R", "80:localhost:10"],
    ]);
    await ssh.waitFor(/Port 80 is forwarded already/);
    expect(edge.plain).toHaveLength(1);
  });

  it("explains itself to a client that asks for no forward, and lets it go", async () => {
    const { ssh } = await start([]);
    expect((await ssh.exited).code).toBe(1);
    expect(ssh.stderr).toContain("Ask for a tunnel: ssh -R 80:localhost:8080");
  });

  it("tells the person why it was ended, and gives exit status 1", async () => {
    const { edge, ssh } = await start(["-tt", "-R", "80:localhost:9"]);
    await ssh.waitFor(/random\.test/);
    edge.plain[0]!.session.end("http://random.test was opened from elsewhere.");
    // Logically over at once, whatever the client does.
    expect(edge.plain[0]!.forward.closed).toBe(true);
    expect((await ssh.exited).code).toBe(1);
    expect(ssh.stderr + ssh.stdout).toContain("was opened from elsewhere.");
    // Not given up by its owner: what becomes of the name is not the ingress' to decide.
    expect(edge.plain[0]!.closed).toBe(false);
  });

  it("refuses a forward and goes on when opening it fails for a reason of the edge's own", async () => {
    const { edge, ssh } = await start(["-R", "80:localhost:9"], {
      openPlain: () => {
        throw new TypeError("a bug");
      },
    });
    await ssh.exited;
    expect(ssh.stderr).toContain("The edge failed to open the tunnel.");
    expect(edge.logged.join("\n")).toMatch(/error +opening a tunnel failed/);
  });
});

describe("the end of a plain client", () => {
  it("frees the forward at once after kill -9, and leaves the name's lease to others", async () => {
    const { edge, ssh } = await start(["-R", "80:localhost:9"]);
    await ssh.waitFor(/random\.test/);
    const ended: string[] = [];
    edge.plain[0]!.session.onceEnded(() => ended.push("session"));
    const closed = onceClosed(edge.plain[0]!.forward);
    const killedAt = performance.now();
    ssh.kill("SIGKILL");
    await closed;
    expect(performance.now() - killedAt).toBeLessThan(5_000);
    expect(ended).toEqual(["session"]);
    expect(edge.plain[0]!.closed).toBe(false);
    expect(edge.ingress.stats()).toMatchObject({ connections: 0 });
  });

  it("breaks the connections that were open through it", async () => {
    const local = await useEchoServer();
    const { edge, ssh } = await start(["-R", "80:localhost:PORT"], { local });
    await ssh.waitFor(/random\.test/);
    const { stream } = await edge.plain[0]!.forward.connect(visitor);
    stream.write("x");
    await once(stream, "data");
    ssh.kill("SIGKILL");
    await once(stream, "close");
    expect(stream.readableEnded).toBe(false);
    await expect(edge.plain[0]!.forward.connect(visitor)).rejects.toMatchObject(
      { code: "forward-failed", upstreamDown: false },
    );
  });

  it("is not needed for connections to be forgotten that visitors broke off", async () => {
    const local = await useEchoServer();
    const { edge, ssh } = await start(["-R", "80:localhost:PORT"], { local });
    await ssh.waitFor(/random\.test/);
    const { forward } = edge.plain[0]!;
    const sessionAlone = edge.ingress.stats().channels;
    const breakOff = async (how: number): Promise<void> => {
      const { stream } = await forward.connect(visitor);
      const closed = closeOf(stream);
      if (how > 0) stream.write(Buffer.alloc(how * 100_000));
      if (how > 2) await once(stream, "data");
      if (how > 4) stream.end();
      stream.destroy();
      await closed;
    };
    for (let round = 0; round < 10; round++)
      await Promise.all(Array.from({ length: 20 }, (_, i) => breakOff(i % 6)));
    await vi.waitUntil(
      () => edge.ingress.stats().channels === sessionAlone,
      10_000,
    );
    expect(await exchange(forward, "hello")).toBe("hello");
  });

  it("closes one tunnel when its forward is cancelled, and keeps the rest", async () => {
    const local = await useEchoServer();
    const control = `${useSshKey().privateKeyFile}.control`;
    const { edge, key, ssh } = await start(
      [
        ...["-M", "-S", control],
        ...["-R", "a:80:localhost:PORT"],
        ...["-R", "b:80:localhost:PORT"],
      ],
      { local },
    );
    await ssh.waitFor(/b\.test/);
    const [a, b] = edge.plain;
    const closed = onceClosed(a!.forward);
    startSsh({
      ...{ port: edge.port, key },
      args: [
        ...["-S", control, "-O", "cancel"],
        ...["-R", `a:80:localhost:${local}`],
      ],
    });
    await closed;
    expect(a!.closed).toBe(true);
    expect(b!.forward.closed).toBe(false);
    expect(await exchange(b!.forward, "hello")).toBe("hello");
  });
});

describe("what a plain client is not given", () => {
  it.each([
    [
      "a way into the edge's network (-L)",
      ["-L", "127.0.0.1:LOCAL:127.0.0.1:INSIDE"],
    ],
    ["a SOCKS proxy (-D)", ["-D", "127.0.0.1:LOCAL"]],
  ])("%s", async (_, args) => {
    let reached = 0;
    const inside = createServer(() => reached++).listen(0, "127.0.0.1");
    await once(inside, "listening");
    onTestFinished(() => void inside.close());
    const { port } = inside.address() as AddressInfo;
    const local = await freePort();
    const { ssh } = await start([
      ...["-v", "-N"],
      ...args.map((arg) =>
        arg.replace("LOCAL", String(local)).replace("INSIDE", String(port)),
      ),
    ]);
    // It says that it listens before it does.
    await ssh.waitFor(/new port-listener/);
    const socket = connect(local, "127.0.0.1");
    socket.on("error", () => {});
    onTestFinished(() => void socket.destroy());
    if (args.includes("-D")) {
      // SOCKS5 (RFC 1928): no authentication, then connect to 127.0.0.1.
      socket.write(Buffer.from([5, 1, 0]));
      await once(socket, "data");
      const target = [127, 0, 0, 1, port >> 8, port & 255];
      socket.write(Buffer.from([5, 1, 0, 1, ...target]));
    }
    await ssh.waitFor(/open failed: administratively prohibited/);
    expect(reached).toBe(0);
  });

  it("sftp", async () => {
    const { ssh } = await start(["-s"], { command: ["sftp"] });
    expect((await ssh.exited).code).not.toBe(0);
    expect(ssh.stderr).toContain("subsystem request failed");
  });

  it("a forward of a Unix socket", async () => {
    const { edge, ssh } = await start(["-R", "/tmp/expose.sock:localhost:9"]);
    await ssh.waitFor(/forwarding failed/i);
    expect(edge.plain).toHaveLength(0);
  });
});

interface Started {
  edge: EmbeddedUnderTest;
  key: ReturnType<typeof useSshKey>;
  ssh: RunningProgram;
}

/** Starts an edge and ssh. `PORT` in an argument stands for `local`. */
async function start(
  args: readonly string[],
  options: Partial<SshOptions> & {
    local?: number;
    refuse?: string;
    openPlain?: () => never;
    opening?: (forward: Forward) => void;
    limits?: Partial<EmbeddedLimits>;
  } = {},
): Promise<Started> {
  const { refuse, openPlain, opening, local, limits, ...rest } = options;
  const key = useSshKey();
  const edge = await useEmbeddedIngress(key, {
    limits: { settleMs: 300, ...limits },
    ...(opening && { opening }),
    ...(openPlain && { handlers: { openPlain } }),
    ...(refuse !== undefined && {
      handlers: {
        openPlain() {
          throw new ControlRefusal("name-taken", refuse);
        },
      },
    }),
  });
  const ssh = startSsh({
    port: edge.port,
    key,
    args: args.map((arg) => arg.replace("PORT", String(local))),
    ...rest,
  });
  return { edge, key, ssh };
}

/** A server that sends back what it gets, behind a prefix, and ends when its client does. */
async function useEchoServer(prefix = ""): Promise<number> {
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on("error", () => {});
    socket.write(prefix);
    socket.pipe(socket);
  });
  server.listen(0, "localhost");
  await once(server, "listening");
  onTestFinished(() => void server.close());
  return (server.address() as AddressInfo).port;
}

async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

async function exchange(forward: Forward, text: string): Promise<string> {
  const { stream } = await forward.connect(visitor);
  stream.end(text);
  let answer = "";
  for await (const chunk of stream) answer += String(chunk);
  return answer;
}

const onceClosed = (forward: Forward): Promise<void> =>
  new Promise((resolve) => forward.onceClosed(resolve));

const START = Date.UTC(2026, 0, 1, 12);

function record(fields: Partial<RequestRecord>): RequestRecord {
  return {
    startedAt: START,
    tunnel: "random",
    identity: "alice",
    visitor: "192.0.2.7",
    method: "GET",
    target: "/",
    host: "random.test",
    httpVersion: "1.1",
    rawHeaders: [],
    status: 200,
    error: undefined,
    upgraded: false,
    routeMs: 1,
    connectMs: 2,
    firstByteMs: 3,
    totalMs: 12.3,
    bytesIn: 0,
    bytesOut: 0,
    retried: false,
    ...fields,
  };
}
