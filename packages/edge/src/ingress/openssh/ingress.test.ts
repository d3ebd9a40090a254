import { once } from "node:events";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { connect, createServer } from "node:net";
import { join } from "node:path";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import {
  hasClosed,
  testUser,
  useControlDir,
  useFolder,
  useIngress,
} from "./ingress.fixture.ts";

const modeOf = (path: string): number => statSync(path).mode & 0o7777;

async function readAll(socket: NodeJS.ReadableStream): Promise<string> {
  let text = "";
  for await (const chunk of socket) text += String(chunk);
  return text;
}

describe("control sockets", () => {
  it("are there for each identity, for owner and group alone", async () => {
    const controlDir = useControlDir();
    const test = useIngress({ controlDir });
    await test.ingress.start();
    expect(readdirSync(controlDir).sort()).toEqual([
      "alice.sock",
      "bob.sock",
      "reaper",
    ]);
    for (const name of readdirSync(controlDir)) {
      expect(modeOf(join(controlDir, name))).toBe(0o660);
      expect(statSync(join(controlDir, name)).gid).toBe(
        statSync(controlDir).gid,
      );
    }
  });

  it("say who came, with proofs of their own for each session", async () => {
    const test = useIngress();
    await test.ingress.start();
    const a = (await test.enter("alice")).session;
    const b = (await test.enter("bob")).session;
    const again = (await test.enter("alice")).session;
    expect(a.identity.id).toBe("alice");
    expect(b.identity.id).toBe("bob");
    const proofs = [a, b, again].flatMap(({ proof }) => Object.values(proof!));
    expect(new Set(proofs).size).toBe(6);
    for (const proof of proofs) expect(proof).toMatch(/^[\w-]{32}$/);
  });

  it("replace what an edge before us left, and touch nothing else", async () => {
    const controlDir = useControlDir();
    for (const name of ["alice.sock", "gone.sock", ".0123abcd", "reaper"]) {
      // A socket's file outlives its process.
      const server = createServer();
      server.listen(join(controlDir, "x"));
      await once(server, "listening");
      renameSync(join(controlDir, "x"), join(controlDir, name));
      server.close();
    }
    writeFileSync(join(controlDir, "keys"), "");
    writeFileSync(join(controlDir, "file.sock"), "");
    const test = useIngress({ controlDir });
    await test.ingress.start();
    expect(readdirSync(controlDir).sort()).toEqual([
      "alice.sock",
      "bob.sock",
      "file.sock",
      "keys",
      "reaper",
    ]);
    await test.enter("alice");
  });

  it("pass on to a second edge without a moment in between", async () => {
    const folder = useFolder();
    const old = useIngress({}, folder);
    await old.ingress.start();
    const next = useIngress({}, folder);
    await next.ingress.start();
    await old.ingress.close();
    await next.enter("alice");
    expect(next.sessions).toHaveLength(1);
    await next.ingress.close();
    expect(readdirSync(next.controlDir)).toEqual([]);
  });

  it.each([0o2770, 0o2711, 0o2714, 0o755, 0o777])(
    "are not made in a folder with mode %o",
    async (mode) => {
      const test = useIngress({ controlDir: useControlDir(mode) });
      await expect(test.ingress.start()).rejects.toMatchObject({
        code: "state-unwritable",
        message: expect.stringContaining("chmod 2710") as unknown,
      });
    },
  );

  it("are made in a new folder when there is none", async () => {
    const test = useIngress();
    await test.ingress.start();
    expect(modeOf(test.controlDir)).toBe(0o710);
  });

  it("need a path that is short enough", async () => {
    const controlDir = join(useFolder(), "d".repeat(90));
    const test = useIngress({ controlDir });
    await expect(test.ingress.start()).rejects.toMatchObject({
      code: "listen-failed",
    });
  });
});

it("an account that does not exist keeps the ingress from starting", async () => {
  const test = useIngress({ account: "no-such-account" });
  await expect(test.ingress.start()).rejects.toMatchObject({
    code: "config-invalid",
    message: expect.stringContaining("no-such-account") as unknown,
  });
});

describe("a change of the users file", () => {
  it("is in the keys file and in the sockets when update() resolves", async () => {
    const test = useIngress();
    await test.ingress.start();
    test.users = [
      testUser("bob"),
      testUser("carol", "xy", { directPorts: [20_000, 20_001] }),
    ];
    await test.ingress.update();
    const blob = (text: string): string => Buffer.from(text).toString("base64");
    expect(test.readKeys().split("\n").slice(1)).toEqual([
      `ssh-ed25519 ${blob("bob k")} bob.sock -`,
      `ssh-ed25519 ${blob("carol x")} carol.sock 20000,20001`,
      `ssh-ed25519 ${blob("carol y")} carol.sock 20000,20001`,
      "",
    ]);
    expect(readdirSync(test.controlDir).sort()).toEqual([
      "bob.sock",
      "carol.sock",
      "reaper",
    ]);
    await test.enter("carol");
  });

  it("ends the sessions of an identity that was removed, with the reason, and no other's", async () => {
    const test = useIngress();
    await test.ingress.start();
    const alice = await test.enter("alice");
    const bob = await test.enter("bob");
    const bobEnded = vi.fn<() => void>();
    bob.session.onceEnded(bobEnded);
    const heard = readAll(alice.client);
    test.users = [testUser("bob")];
    await test.ingress.update();
    expect(JSON.parse(await heard)).toMatchObject({
      t: "closed",
      code: "revoked",
      retry: false,
    });
    expect(alice.session.forward(5000)).toBeUndefined();
    expect(bobEnded).not.toHaveBeenCalled();
  });

  it("sends those away who lost a key or a right, without a word, and lets them come back", async () => {
    const test = useIngress();
    test.users = [testUser("alice", "ab"), testUser("bob")];
    await test.ingress.start();
    const alice = await test.enter("alice");
    const bob = await test.enter("bob");
    test.users = [testUser("alice", "a"), testUser("bob", "k", { names: [] })];
    await test.ingress.update();
    expect(await readAll(alice.client)).toBe("");
    expect(await readAll(bob.client)).toBe("");
    expect((await test.enter("bob")).session.identity.names).toEqual([]);
  });

  it("leaves everybody alone who lost nothing", async () => {
    const test = useIngress();
    await test.ingress.start();
    const { session } = await test.enter("alice");
    test.users = [testUser("alice", "kx"), testUser("carol")];
    await test.ingress.update();
    expect(session.forward(5000)).toBeDefined();
  });

  it("takes effect on sessions even when the keys file cannot be written", async () => {
    const test = useIngress();
    await test.ingress.start();
    const { client } = await test.enter("alice");
    // Not even root can write into a folder that is none.
    rmSync(join(test.folder, "keys"));
    mkdirSync(join(test.folder, "keys"));
    writeFileSync(join(test.folder, "keys", "x"), "");
    test.users = [];
    await expect(test.ingress.update()).rejects.toMatchObject({
      code: "state-unwritable",
    });
    expect(await readAll(client)).toContain("revoked");
    expect(existsSync(join(test.controlDir, "alice.sock"))).toBe(false);
  });

  it("is the last one that counts when several come at once", async () => {
    const test = useIngress();
    await test.ingress.start();
    const updates = ["carol", "dave", "erin"].map((id) => {
      test.users = [testUser(id)];
      return test.ingress.update();
    });
    await Promise.all(updates);
    expect(readdirSync(test.controlDir).sort()).toEqual([
      "erin.sock",
      "reaper",
    ]);
    expect(test.readKeys()).toContain("erin.sock");
  });

  it("does nothing any more after close()", async () => {
    const test = useIngress();
    await test.ingress.start();
    await test.ingress.close();
    await test.ingress.update();
    expect(readdirSync(test.controlDir)).toEqual([]);
  });
});

describe("limits", () => {
  it("an identity beyond its number of sessions is told to come back later", async () => {
    const test = useIngress({ limits: { maxSessionsPerIdentity: 1 } });
    await test.ingress.start();
    const first = await test.enter("alice");
    const second = connect(join(test.controlDir, "alice.sock"));
    expect(JSON.parse(await readAll(second))).toMatchObject({
      t: "closed",
      code: "too-many-tunnels",
      retry: true,
    });
    await test.enter("bob");
    first.session.end();
    await test.enter("alice");
    expect(test.logged).toEqual(["session refused"]);
  });

  it("the edge as a whole has a number of sessions, too", async () => {
    const test = useIngress({ limits: { maxSessions: 1 } });
    await test.ingress.start();
    await test.enter("alice");
    const other = connect(join(test.controlDir, "bob.sock"));
    expect(await readAll(other)).toContain("too-many-tunnels");
  });
});

describe("the end", () => {
  it("of a session lets its last words through and then closes the socket as a whole", async () => {
    const test = useIngress();
    await test.ingress.start();
    const { client, session } = await test.enter("alice");
    const words = "x".repeat(100_000);
    const closed = hasClosed(client);
    const heard = readAll(client);
    session.control.write(words);
    session.end();
    session.end();
    expect(await heard).toBe(words);
    await closed;
  });

  it("of a session does not wait for a client that does not read", async () => {
    const test = useIngress({ limits: { lingerMs: 20 } });
    await test.ingress.start();
    const { client, session } = await test.enter("alice");
    client.pause();
    session.control.write(Buffer.alloc(8 * 1024 * 1024));
    const closed = once(session.control, "close");
    session.end();
    await closed;
  });

  it("of accepting leaves open sessions alone and removes the sockets", async () => {
    const test = useIngress();
    await test.ingress.start();
    const { session } = await test.enter("alice");
    test.ingress.stopAccepting();
    await test.ingress.update();
    expect(session.forward(5000)).toBeDefined();
    const late = connect(join(test.controlDir, "alice.sock"));
    const [error] = (await once(late, "error")) as [NodeJS.ErrnoException];
    expect(error.code).toMatch(/ENOENT|ECONNREFUSED/);
  });

  it("of the ingress ends every session, and can come twice or before the start", async () => {
    const test = useIngress();
    await useIngress().ingress.close();
    await test.ingress.start();
    const { client } = await test.enter("alice");
    client.resume();
    const closed = hasClosed(client);
    await Promise.all([test.ingress.close(), test.ingress.close()]);
    await closed;
    expect(readdirSync(test.controlDir)).toEqual([]);
  });
});

describe("session-reaper", () => {
  async function useReaper(controlDir: string) {
    const reaper = connect(join(controlDir, "reaper"));
    onTestFinished(() => void reaper.destroy());
    await once(reaper, "connect");
    return reaper;
  }

  it("is sent after connections without a session when somebody lost something, and only then", async () => {
    const test = useIngress();
    await test.ingress.start();
    const reaper = await useReaper(test.controlDir);
    test.users = [testUser("alice", "kx"), testUser("bob")];
    await test.ingress.update();
    test.users = [testUser("bob")];
    await test.ingress.update();
    expect(String((await once(reaper, "data"))[0])).toBe("sweep 0\n");
  });

  it("is sent round every now and then", async () => {
    vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] });
    onTestFinished(() => void vi.useRealTimers());
    const test = useIngress();
    await test.ingress.start();
    const reaper = await useReaper(test.controlDir);
    const said = once(reaper, "data");
    vi.advanceTimersByTime(15_000);
    expect(String((await said)[0])).toBe("sweep 30\n");
  });

  it("is missed aloud", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    onTestFinished(() => void vi.useRealTimers());
    const [without, withOne] = [useIngress(), useIngress()];
    await without.ingress.start();
    await withOne.ingress.start();
    await useReaper(withOne.controlDir);
    vi.advanceTimersByTime(10_000);
    expect(without.logged).toEqual(["session reaper is not running"]);
    expect(withOne.logged).toEqual([]);
  });
});
