// Sessions of the expose client, and how sessions end.
import { once } from "node:events";
import type { Client, ClientChannel } from "ssh2";
import { describe, expect, it } from "vitest";
import {
  startSsh,
  useSshKey,
  type SshKey,
} from "../../../../../test/harness/openssh-client.ts";
import type { EmbeddedLimits } from "./options.ts";
import {
  fence,
  testIdentity,
  useControlForward,
  useEmbeddedIngress,
  useSsh2Client,
  type EmbeddedUnderTest,
} from "./test-support.ts";

describe("a control session", () => {
  it("is handed over with its identity, its address and an unread channel", async () => {
    const { edge, client } = await useLogin();
    const { session, control, forward } = await useControlForward(edge, client);
    expect(session).toMatchObject({
      ingress: "embedded",
      identity: { id: "alice" },
      remoteAddress: "127.0.0.1",
      proof: undefined,
    });
    control.write("hello\n");
    await fence(client);
    expect(session.control.readableFlowing).toBe(null);
    expect(String(session.control.read())).toBe("hello\n");
    session.control.write("welcome\n");
    expect(String((await once(control, "data"))[0])).toBe("welcome\n");
    expect(session.forward(forward.port)).toBe(forward);
    expect(session.forward(forward.port + 1)).toBeUndefined();
  });

  it("finds forwards whatever comes first, and gives each a port of its own", async () => {
    const { edge, client } = await useLogin();
    const before = await forwardIn(client);
    const { session, forward } = await useControlForward(edge, client);
    const after = await forwardIn(client);
    expect(new Set([before, forward.port, after]).size).toBe(3);
    expect(session.forward(before)?.port).toBe(before);
    expect(session.forward(after)?.port).toBe(after);
    expect(edge.plain).toHaveLength(0);
  });

  it("is not served a plain tunnel's forward", async () => {
    const { edge, client } = await useLogin();
    const { session } = await useControlForward(edge, client);
    await new Promise((resolve) => client.forwardIn("shop", 80, resolve));
    expect(edge.plain).toHaveLength(1);
    expect(session.forward(80)).toBeUndefined();
  });

  it("loses a forward that is cancelled, and keeps the rest", async () => {
    const { edge, client } = await useLogin();
    const { session, forward } = await useControlForward(edge, client);
    const other = await forwardIn(client);
    await new Promise((resolve) =>
      client.unforwardIn("127.0.0.1", forward.port, resolve),
    );
    expect(forward.closed).toBe(true);
    expect(session.forward(forward.port)).toBeUndefined();
    expect(session.forward(other)?.closed).toBe(false);
  });

  it("ends with all that it opened when end() is called, and says what was written before", async () => {
    const { edge, client } = await useLogin();
    const { session, control, forward, connect } = await useControlForward(
      edge,
      client,
    );
    const { edge: connection } = await connect();
    const ended: number[] = [];
    session.onceEnded(() => ended.push(1));
    const gone = once(client, "close");
    session.control.write("last words\n");
    session.end();
    session.end();
    session.onceEnded(() => ended.push(2));
    expect([forward.closed, connection.stream.destroyed, ended]).toEqual([
      true,
      true,
      [1, 2],
    ]);
    expect(String((await once(control, "data"))[0])).toBe("last words\n");
    await gone;
    expect(edge.ingress.stats()).toMatchObject({ connections: 0, channels: 0 });
  });

  it("ends when the client closes the control channel", async () => {
    const { edge, client } = await useLogin();
    const { session, control, forward } = await useControlForward(edge, client);
    const ended = new Promise<void>((resolve) => session.onceEnded(resolve));
    control.resume().close();
    await ended;
    expect(forward.closed).toBe(true);
  });

  it("ends when the client is gone", async () => {
    const { edge, client } = await useLogin();
    const { session, forward } = await useControlForward(edge, client);
    const ended = new Promise<void>((resolve) => session.onceEnded(resolve));
    client.destroy();
    await ended;
    expect(forward.closed).toBe(true);
  });

  it("ends, alone, when serving it fails for a reason of the edge's own", async () => {
    const key = useSshKey();
    const edge = await useEmbeddedIngress(key, {
      handlers: {
        serve() {
          throw new TypeError("a bug");
        },
      },
    });
    const client = await useSsh2Client(edge.port, key);
    const gone = once(client, "close");
    await useControlForward(edge, client).catch(() => {});
    await gone;
    expect(edge.logged.join("\n")).toMatch(/error +serving a session failed/);
    await useSsh2Client(edge.port, key);
  });

  it("does not disturb plain tunnels on the same connection", async () => {
    const { edge, client } = await useLogin();
    await new Promise((resolve) => client.forwardIn("shop", 80, resolve));
    await useControlForward(edge, client);
    await fence(client);
    expect(edge.plain[0]!.forward.closed).toBe(false);
  });
});

describe("a signal from the client", () => {
  it.each(["INT", "TERM", "HUP"])(
    "SIG%s ends a plain session",
    async (name) => {
      const { edge, client } = await useLogin();
      const channel = await exec(client, "watch");
      await new Promise((resolve) => client.forwardIn("shop", 80, resolve));
      const exit = once(channel, "exit");
      channel.signal(name);
      expect((await exit)[0]).toBe(0);
      expect(edge.plain[0]!.closed).toBe(true);
    },
  );

  it("SIGUSR1 does not", async () => {
    const { edge, client } = await useLogin();
    const channel = await exec(client, "watch");
    await new Promise((resolve) => client.forwardIn("shop", 80, resolve));
    channel.signal("USR1");
    await fence(client);
    expect(edge.plain[0]!.closed).toBe(false);
  });
});

describe("a key that is removed from the users file", () => {
  it("ends its sessions at once, says why, and leaves others alone", async () => {
    const { edge, client, key } = await useLogin();
    const bob = useSshKey();
    edge.users.set(bob.blob.toString("base64"), testIdentity("bob"));
    const other = await useSsh2Client(edge.port, bob);
    const { control, forward } = await useControlForward(edge, client);
    const kept = await useControlForward(edge, other);
    const gone = once(client, "close");
    edge.users.delete(key.blob.toString("base64"));
    edge.ingress.recheck();
    expect(forward.closed).toBe(true);
    expect(JSON.parse(String((await once(control, "data"))[0]))).toMatchObject({
      t: "closed",
      code: "revoked",
      retry: false,
    });
    await gone;
    await fence(other);
    expect(kept.forward.closed).toBe(false);
  });

  it("ends plain sessions with the reason on the screen", async () => {
    const key = useSshKey();
    const edge = await useEmbeddedIngress(key);
    const ssh = startSsh({
      ...{ port: edge.port, key },
      args: ["-R", "80:localhost:9"],
    });
    await ssh.waitFor(/random\.test/);
    edge.users.clear();
    edge.ingress.recheck();
    expect((await ssh.exited).code).toBe(1);
    expect(ssh.stderr).toContain("The key of this session was removed");
    expect(edge.plain[0]!.closed).toBe(true);
  });

  it("and now belongs to somebody else ends them, too", async () => {
    const { edge, client, key } = await useLogin();
    const { forward } = await useControlForward(edge, client);
    edge.users.set(key.blob.toString("base64"), testIdentity("mallory"));
    edge.ingress.recheck();
    expect(forward.closed).toBe(true);
  });

  it("and is there as before leaves them alone, with the rights of today", async () => {
    const { edge, client, key } = await useLogin();
    const { session, forward } = await useControlForward(edge, client);
    edge.users.set(key.blob.toString("base64"), {
      ...testIdentity("alice"),
      maxTunnels: 3,
    });
    edge.ingress.recheck();
    expect(forward.closed).toBe(false);
    expect(session.identity.maxTunnels).toBe(3);
  });

  it("can be named by its identity", async () => {
    const { edge, client } = await useLogin();
    const { forward } = await useControlForward(edge, client);
    expect(edge.ingress.endIdentity(({ id }) => id === "bob")).toBe(0);
    expect(edge.ingress.endIdentity(({ id }) => id === "alice")).toBe(1);
    expect(forward.closed).toBe(true);
  });
});

describe("one connection too many of one identity", () => {
  it("gets no forward and is told so over the control channel", async () => {
    const { edge, key } = await useLogin({ maxConnectionsPerIdentity: 1 });
    const second = await useSsh2Client(edge.port, key);
    await expect(forwardIn(second)).rejects.toThrow("Unable to bind");
    const gone = once(second, "close");
    const control = await exec(second, "expose-control");
    expect(JSON.parse(String((await once(control, "data"))[0]))).toMatchObject({
      t: "refused",
      code: "too-many-tunnels",
    });
    await gone;
    expect(edge.sessions).toHaveLength(0);
  });

  it("is told so on the screen, and has a place again when another has gone", async () => {
    const { edge, client, key } = await useLogin({
      maxConnectionsPerIdentity: 1,
      settleMs: 100,
    });
    const start = () =>
      startSsh({
        ...{ port: edge.port, key },
        args: ["-R", "80:localhost:9"],
      });
    const refused = start();
    expect((await refused.exited).code).toBe(1);
    expect(refused.stderr).toContain("alice has 1 connections open");
    const gone = once(client, "close");
    client.end();
    await gone;
    expect(await start().waitFor(/random\.test/)).toBeDefined();
  });
});

async function useLogin(limits: Partial<EmbeddedLimits> = {}): Promise<{
  edge: EmbeddedUnderTest;
  client: Client;
  key: SshKey;
}> {
  const key = useSshKey();
  const edge = await useEmbeddedIngress(key, { limits });
  return { edge, client: await useSsh2Client(edge.port, key), key };
}

const exec = (client: Client, command: string): Promise<ClientChannel> =>
  new Promise((resolve, reject) =>
    client.exec(command, (error, channel) =>
      error ? reject(error) : resolve(channel),
    ),
  );

const forwardIn = (client: Client): Promise<number> =>
  new Promise((resolve, reject) =>
    client.forwardIn("127.0.0.1", 0, (error, port) =>
      error ? reject(error) : resolve(port),
    ),
  );
