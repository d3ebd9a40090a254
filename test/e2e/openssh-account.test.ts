// What an account on the edge's sshd can do, and what it cannot: the configuration of infra/sshd in Debian's sshd, and an
// edge that only takes notes. The claim is: a control session, forwards on 127.0.0.1, and nothing else.
// one ingress only: it is about sshd's configuration; what the embedded server refuses is tested beside its sources
import { once } from "node:events";
import {
  appendFileSync,
  chmodSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import ssh2, { type Client, type ClientChannel } from "ssh2";
import {
  afterAll,
  beforeAll,
  describe,
  expect,
  it,
  onTestFinished,
} from "vitest";
import {
  GREETING,
  startFakeEdge,
  type FakeEdge,
} from "../harness/fake-edge.ts";
import type { SshKey } from "../harness/openssh-client.ts";
import { freePort } from "../harness/plain-sshd.ts";
import {
  startProgram,
  stop,
  type RunningProgram,
} from "../harness/processes.ts";
import { startSshd, type Sshd } from "../harness/sshd.ts";

let sshd: Sshd;
let edge: FakeEdge;
let alice: SshKey;
/** May publish `grantedPort` past the edge. */
let bob: SshKey;
let grantedPort: number;

beforeAll(async () => {
  grantedPort = await freePort();
  sshd = await startSshd();
  alice = sshd.createKey();
  bob = sshd.createKey();
  edge = await startFakeEdge(sshd, [
    { identity: "alice@laptop", key: alice },
    { identity: "bob", key: bob, directPorts: [grantedPort] },
  ]);
});

afterAll(async () => {
  await sshd?.stop();
  await edge?.close();
});

describe("commands", () => {
  it.each([
    ["a command", "touch MARKER"],
    ["a command for a shell", "sh -c 'touch MARKER'"],
    ["a shell", ""],
    ["a command behind a newline", "x\ntouch MARKER"],
    ["a command behind the forced one", "; touch MARKER #"],
  ])("%s is a control session and nothing else", async (_, command) => {
    const marker = join(useFolder(), "marker");
    const coming = edge.nextSession("alice@laptop");
    const ssh = start("ssh", [
      destination(),
      command.replace("MARKER", marker),
    ]);
    const session = await coming;
    ssh.child.stdin!.write(`touch ${marker}\n`);
    await ssh.waitFor(/EDGE/);
    session.socket.destroy();
    await ssh.exited;
    expect(session.identity).toBe("alice@laptop");
    expect(ssh.stdout).toBe(GREETING);
    expect(existsSync(marker)).toBe(false);
  });

  it("there is no terminal", async () => {
    const marker = join(useFolder(), "marker");
    const coming = edge.nextSession("alice@laptop");
    const ssh = start("ssh", ["-tt", destination(), `touch ${marker}`]);
    await (
      await coming
    ).closed;
    await ssh.exited;
    expect(ssh.stderr).toContain("PTY allocation request failed");
    expect(existsSync(marker)).toBe(false);
  });

  it("a session is joined to the socket of the key's own identity", async () => {
    const coming = edge.nextSession("bob");
    const before = edge.sessions.length;
    const ssh = start("ssh", [destination()], bob);
    const { socket } = await coming;
    expect(edge.sessions.length).toBe(before + 1);
    ssh.child.stdin!.write("hello\n");
    expect(String((await once(socket, "data"))[0])).toBe("hello\n");
    ssh.child.stdin!.end();
    await once(socket, "close");
    await ssh.exited;
  });

  it("a connection has one session", async () => {
    const client = await useClient(bob);
    await exec(client);
    await expect(exec(client)).rejects.toThrow("open failed");
  });

  it("sftp finds no server", async () => {
    const client = await useClient(alice);
    const opening = new Promise((resolve, reject) =>
      client.sftp((error) => (error ? reject(error) : resolve(undefined))),
    );
    await expect(opening).rejects.toThrow("subsystem");
    const file = join(useFolder(), "passwd");
    const sftp = start("sftp", ["-b", "-", destination()]);
    sftp.child.stdin!.end(`get /etc/passwd ${file}\n`);
    expect((await sftp.exited).code).not.toBe(0);
    expect(existsSync(file)).toBe(false);
  });

  it.each(["-O", "-s"])("scp %s copies nothing either way", async (mode) => {
    const folder = useFolder();
    const mine = join(folder, "mine");
    writeFileSync(mine, "mine");
    for (const paths of [
      [mine, `${destination()}:${join(folder, "up")}`],
      [`${destination()}:/etc/passwd`, join(folder, "down")],
    ]) {
      // The old protocol runs a command, hence a control session, and waits for its answer.
      const coming =
        mode === "-O" ? edge.nextSession("alice@laptop") : undefined;
      const scp = start("scp", [mode, ...paths]);
      if (coming)
        setImmediate((await coming).socket.destroy.bind((await coming).socket));
      expect((await scp.exited).code).not.toBe(0);
    }
    expect(readdirSync(folder)).toEqual(["mine"]);
  });

  it("nothing of a client's environment reaches the server's programs", async () => {
    const coming = edge.nextSession("alice@laptop");
    const others = controlSessions();
    const ssh = start("ssh", [
      ...["-o", "SetEnv=PERL5OPT=-Mnothing LD_PRELOAD=/x.so LC_ALL=xx FOO=bar"],
      ...["-v", destination()],
    ]);
    const { socket } = await coming;
    await ssh.waitFor(/EDGE/);
    const program = controlSessions().find((one) => !others.includes(one))!;
    const environment = readFileSync(`/proc/${program}/environ`, "utf8");
    expect(environment).toContain("SSH_CONNECTION=");
    expect(environment).not.toMatch(/PERL|PRELOAD|LC_ALL|FOO|SSH_AUTH|DISPLAY/);
    socket.destroy();
    await ssh.exited;
  });
});

describe("forwards into the server", () => {
  it("-L, -W and -D reach none of its ports", async () => {
    const service = await useRecorder();
    const client = await useClient(bob);
    await exec(client);
    for (const host of ["127.0.0.1", "localhost", "::1", "0.0.0.0"])
      await expect(dialThrough(client, host, service.port)).rejects.toThrow(
        "open failed",
      );
    const ssh = start("ssh", [
      "-W",
      `127.0.0.1:${service.port}`,
      destination(),
    ]);
    await ssh.exited;
    expect(ssh.stderr).toContain("administratively prohibited");
    expect(service.connections).toBe(0);
  });

  it("no socket can be dialled, another's control socket least of all", async () => {
    const coming = edge.nextSession("bob");
    const client = await useClient(bob);
    await exec(client);
    await coming;
    const before = edge.sessions.length;
    for (const name of ["alice@laptop.sock", "bob.sock", "reaper"]) {
      const opening = new Promise((resolve, reject) =>
        client.openssh_forwardOutStreamLocal(
          join(sshd.controlDir, name),
          (error, channel) => (error ? reject(error) : resolve(channel)),
        ),
      );
      await expect(opening).rejects.toThrow("open failed");
    }
    expect(edge.sessions.length).toBe(before);
  });

  it("no network device can be joined", async () => {
    const devices = readdirSync("/sys/class/net");
    const ssh = start("ssh", [
      ...["-N", "-o", "ExitOnForwardFailure=yes", "-w", "any:any"],
      destination(),
    ]);
    expect((await ssh.exited).code).not.toBe(0);
    // The first is a client's complaint that may make no device, the second that it may and the server does not.
    expect(ssh.stderr).toMatch(
      /Tunnel device open failed|Tunnel forwarding failed/,
    );
    expect(readdirSync("/sys/class/net")).toEqual(devices);
  });
});

describe("forwards from the server", () => {
  it.each([
    ["0.0.0.0"],
    ["::"],
    [""],
    ["*"],
    ["localhost"],
    ["::1"],
    ["127.0.0.2"],
    ["127.1"],
    ["127.0.0.1 "],
    ["LOCALHOST"],
  ])("listen nowhere for the address %j", async (address) => {
    const client = await useClient(alice);
    await exec(client);
    for (const port of [0, await freePort(), grantedPort])
      await expect(forwardIn(client, address, port)).rejects.toThrow(
        "Unable to bind",
      );
  });

  it("listen on 127.0.0.1, and on that alone", async () => {
    const client = await useClient(alice);
    await exec(client);
    const port = await forwardIn(client, "127.0.0.1", 0);
    expect(listeners(port)).toEqual([{ address: "127.0.0.1", uid: sshd.uid }]);
  });

  it.each([1, 22, 80, 443, 1023])("do not get port %i", async (port) => {
    const client = await useClient(alice);
    await exec(client);
    await expect(forwardIn(client, "127.0.0.1", port)).rejects.toThrow(
      "Unable to bind",
    );
  });

  it("listen in public where the operator granted the port, and only for whom", async () => {
    const client = await useClient(bob);
    await exec(client);
    expect(await forwardIn(client, "0.0.0.0", grantedPort)).toBe(grantedPort);
    expect(listeners(grantedPort)).toEqual([
      { address: "0.0.0.0", uid: sshd.uid },
    ]);
    for (const port of [0, grantedPort + 1])
      await expect(forwardIn(client, "0.0.0.0", port)).rejects.toThrow(
        "Unable to bind",
      );
    const other = await useClient(alice);
    await exec(other);
    await expect(forwardIn(other, "0.0.0.0", grantedPort)).rejects.toThrow(
      "Unable to bind",
    );
  });

  it("listen on no socket", async () => {
    const client = await useClient(bob);
    await exec(client);
    const folder = useFolder();
    // The account could make one there.
    chmodSync(folder, 0o777);
    const path = join(folder, "x.sock");
    const opening = new Promise((resolve, reject) =>
      client.openssh_forwardInStreamLocal(path, (error) =>
        error ? reject(error) : resolve(undefined),
      ),
    );
    await expect(opening).rejects.toThrow("Unable to bind");
    expect(existsSync(path)).toBe(false);
  });

  it("cannot be taken from another", async () => {
    const [mine, theirs] = [await useClient(alice), await useClient(bob)];
    await exec(mine);
    await exec(theirs);
    const port = await forwardIn(mine, "127.0.0.1", 0);
    await expect(forwardIn(theirs, "127.0.0.1", port)).rejects.toThrow(
      "Unable to bind",
    );
    const cancelled = new Promise((resolve, reject) =>
      theirs.unforwardIn("127.0.0.1", port, (error) =>
        error ? reject(error) : resolve(undefined),
      ),
    );
    await expect(cancelled).rejects.toThrow("Unable to unbind");
    expect(listeners(port)).toHaveLength(1);
  });
});

describe("the client's own things", () => {
  it("the agent is not forwarded", async () => {
    const client = await useClient(alice, {
      agent: join(useFolder(), "agent"),
      agentForward: true,
    });
    await expect(exec(client).then(() => "done")).rejects.toThrow(
      "agent forwarding",
    );
  });

  it("X11 is not forwarded", async () => {
    const client = await useClient(alice);
    const opening = exec(client, { x11: true }).then(() => "done");
    await expect(opening).rejects.toThrow("X11");
  });
});

describe("logins", () => {
  it.each(["root", "nobody", "sshd"])("%s cannot log in", async (name) => {
    await expect(useClient(alice, { username: name })).rejects.toThrow(
      "authentication methods failed",
    );
  });

  it("a password is not asked for", async () => {
    const ssh = start("ssh", [
      ...["-o", "PubkeyAuthentication=no"],
      destination(),
    ]);
    await ssh.exited;
    expect(ssh.stderr).toContain("Permission denied (publickey)");
  });

  it("a key that stands nowhere is refused", async () => {
    await expect(useClient(sshd.createKey())).rejects.toThrow(
      "authentication methods failed",
    );
  });

  it("SHA-1, CBC and the NIST curves are not spoken", async () => {
    for (const algorithms of [
      { kex: ["diffie-hellman-group14-sha1"] },
      { kex: ["ecdh-sha2-nistp256"] },
      { cipher: ["aes128-cbc"] },
      { cipher: ["aes128-ctr"] },
      { cipher: ["aes128-ctr"], hmac: ["hmac-sha1"] },
    ])
      await expect(
        useClient(alice, { algorithms: algorithms as never }),
      ).rejects.toThrow("no matching");
  });
});

describe("the end of a session", () => {
  it("frees the ports of a client that holds on to everything", async () => {
    const coming = edge.nextSession("bob");
    const client = await useClient(bob);
    const channel = await exec(client);
    channel.removeAllListeners("end");
    const inner = await forwardIn(client, "127.0.0.1", 0);
    const outer = await forwardIn(client, "0.0.0.0", grantedPort);
    const { socket } = await coming;
    const closed = hasClosed(client);
    const began = performance.now();
    socket.destroy();
    await closed;
    expect(performance.now() - began).toBeLessThan(1_000);
    expect(listeners(inner)).toEqual([]);
    expect(listeners(outer)).toEqual([]);
  });

  it("frees the ports of a client that does not read, and costs no processor", async () => {
    const coming = edge.nextSession("bob");
    const others = controlSessions();
    const client = await useClient(bob);
    await exec(client, {}, { read: false });
    const port = await forwardIn(client, "0.0.0.0", grantedPort);
    const { socket } = await coming;
    // More than the 2 MiB window of the client's channel takes, less than what gets a session ended.
    socket.write(Buffer.alloc(2.6 * 1024 * 1024, "x"));
    await drained(socket);
    const pid = controlSessions().find((one) => !others.includes(one))!;
    const closed = hasClosed(client);
    const began = performance.now();
    const before = cpuMs(pid);
    expect(before).toBeDefined();
    let spent = before!;
    const look = (): void => void (spent = cpuMs(pid) ?? spent);
    // It may end a moment before the connection does, and is known no longer then.
    const looking = setInterval(look, 10);
    onTestFinished(() => clearInterval(looking));
    socket.destroy();
    await closed;
    const took = performance.now() - began;
    look();
    expect(took).toBeLessThan(1_000);
    expect(spent - before!).toBeLessThan(took / 2);
    expect(listeners(port)).toEqual([]);
  });

  it("is heard by the edge when the client is killed", async () => {
    const coming = edge.nextSession("bob");
    const ssh = start("ssh", [destination()], bob);
    const session = await coming;
    await ssh.waitFor(/EDGE/);
    ssh.kill("SIGKILL");
    await session.closed;
  });

  it("comes at once, with the reason, where no edge answers", async () => {
    const key = sshd.createKey();
    const [type, blob] = key.publicKey.split(" ");
    appendFileSync(sshd.keysFile, `${type} ${blob} carol.sock -\n`);
    const ssh = start("ssh", [destination()], key);
    await ssh.exited;
    expect(ssh.stderr).toContain("the edge does not answer");
  });
});

// Without root there is no account that holds tunnels and nothing else.
describe.runIf(process.getuid?.() === 0)("session-reaper", () => {
  it("ends connections without a session, whoever is connected through them, and no others", async () => {
    const withSession = await useClient(alice);
    await exec(withSession);
    const without = await useClient(bob);
    without.on("tcp connection", (_, accept) => void accept().resume());
    await forwardIn(without, "0.0.0.0", grantedPort);
    const visitor = connect(grantedPort, "127.0.0.1");
    visitor.on("error", () => {});
    onTestFinished(() => void visitor.destroy());
    await once(visitor, "connect");

    const closed = hasClosed(without);
    await edge.sweep(0);
    await closed;
    expect(listeners(grantedPort)).toEqual([]);
    expect(await forwardIn(withSession, "127.0.0.1", 0)).toBeGreaterThan(0);
  });

  it("spares those that are younger than it was told", async () => {
    const young = await useClient(bob);
    const port = await forwardIn(young, "127.0.0.1", 0);
    await edge.sweep(3_600);
    // It takes its orders one after the other: when the second is seen to be done, the first is.
    const other = await useClient(alice);
    await forwardIn(other, "127.0.0.1", 0);
    await exec(young);
    const closed = hasClosed(other);
    await edge.sweep(0);
    await closed;
    expect(listeners(port)).toHaveLength(1);
  });
});

function useFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "expose-account-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

const destination = (): string => `${sshd.account}@${sshd.host}`;

/** Starts ssh, sftp or scp, cut off from this machine's own configuration. */
function start(
  program: "ssh" | "sftp" | "scp",
  args: readonly string[],
  key: SshKey = alice,
): RunningProgram {
  const running = startProgram(
    program,
    [
      ...["-F", "none", "-o", "IdentityAgent=none", "-o", "IdentitiesOnly=yes"],
      ...["-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=no"],
      ...["-o", "UserKnownHostsFile=/dev/null", "-o", `Port=${sshd.port}`],
      ...["-i", key.privateKeyFile],
      ...args,
    ],
    { stdio: ["pipe", "pipe", "pipe"] },
  );
  running.child.stdin!.on("error", () => {});
  onTestFinished(() => stop(running));
  return running;
}

async function useClient(
  key: SshKey,
  config: ssh2.ConnectConfig = {},
): Promise<Client> {
  const client = new ssh2.Client();
  onTestFinished(() => void client.destroy());
  await new Promise<void>((resolve, reject) => {
    client.on("error", reject);
    client.once("ready", resolve);
    client.once("close", () => reject(new Error("closed before the login")));
    client.connect({
      host: sshd.host,
      port: sshd.port,
      username: sshd.account,
      privateKey: key.privateKey,
      ...config,
    });
  });
  return client;
}

/** Unlike once(), which takes the reset that comes before for a failure. */
const hasClosed = (client: Client): Promise<void> =>
  new Promise((resolve) => client.once("close", () => resolve()));

function exec(
  client: Client,
  options: ssh2.ExecOptions = {},
  { read = true } = {},
): Promise<ClientChannel> {
  return new Promise((resolve, reject) =>
    client.exec("expose-control", options, (error, channel) => {
      if (error) return reject(error);
      channel.on("error", () => {});
      if (!read) return resolve(channel);
      // The edge's greeting: the session has got that far.
      channel.once("data", () => resolve(channel));
      channel.once("close", () => reject(new Error("closed at once")));
    }),
  );
}

const forwardIn = (
  client: Client,
  address: string,
  port: number,
): Promise<number> =>
  new Promise((resolve, reject) =>
    client.forwardIn(address, port, (error, got) =>
      error ? reject(error) : resolve(port === 0 ? got : port),
    ),
  );

const dialThrough = (
  client: Client,
  host: string,
  port: number,
): Promise<ClientChannel> =>
  new Promise((resolve, reject) =>
    client.forwardOut("127.0.0.1", 0, host, port, (error, channel) =>
      error ? reject(error) : resolve(channel),
    ),
  );

/** A local service that nobody should reach. */
async function useRecorder(): Promise<{ port: number; connections: number }> {
  const recorder = { port: 0, connections: 0 };
  const server = createServer((socket: Socket) => {
    recorder.connections++;
    socket.destroy();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => void server.close());
  recorder.port = (server.address() as AddressInfo).port;
  return recorder;
}

/** Who listens on a port, as the kernel tells. */
function listeners(port: number): { address: string; uid: number }[] {
  const wanted = port.toString(16).toUpperCase().padStart(4, "0");
  return ["tcp", "tcp6"].flatMap((table) =>
    readFileSync(`/proc/net/${table}`, "utf8")
      .split("\n")
      .map((line) => line.trim().split(/\s+/))
      .filter(
        ([, local, , state]) => state === "0A" && local?.endsWith(`:${wanted}`),
      )
      .map(([, local = "", , , , , , uid]) => ({
        address: readAddress(local.split(":")[0]!),
        uid: Number(uid),
      })),
  );
}

const readAddress = (hex: string): string =>
  hex.length > 8 ? hex : [...Buffer.from(hex, "hex")].reverse().join(".");

/** Processes of the forced command. */
const controlSessions = (): number[] =>
  sshd.sessionProcesses().filter((pid) => {
    try {
      return (
        readFileSync(`/proc/${pid}/comm`, "utf8").trim() === "control-session"
      );
    } catch {
      // It ended in the meantime.
      return false;
    }
  });

/** Processor time that a process has used, undefined when it has ended. The kernel counts in steps of 10 ms. */
function cpuMs(pid: number): number | undefined {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  } catch {
    return undefined;
  }
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

async function drained(socket: Socket): Promise<void> {
  if (socket.writableLength > 0) await once(socket, "drain");
}
