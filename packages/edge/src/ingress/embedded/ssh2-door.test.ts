// Hostile clients that have logged in, and the assumptions about ssh2's insides that the guards against them rest on.
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import type { Socket } from "node:net";
import type { Client, ClientChannel } from "ssh2";
import { describe, expect, it } from "vitest";
import { START_WINDOW_BYTES } from "@expose/protocol";
import { useSshKey } from "../../../../../test/harness/openssh-client.ts";
import type { EmbeddedLimits } from "./options.ts";
import {
  closeOf,
  fence,
  useControlForward,
  useEmbeddedIngress,
  useSsh2Client,
  type EmbeddedUnderTest,
} from "./test-support.ts";

const visitor = { address: "192.0.2.7", port: 4711 };

describe("a client that breaks the protocol is disconnected", () => {
  // mscdex/ssh2#1505: without the guard one client filled 875 MB in four seconds.
  it("when it sends more than the window allows", async () => {
    const { edge, client } = await useHostile();
    const tunnel = await useControlForward(edge, client);
    const { edge: connection, client: channel } = await tunnel.connect();
    (channel as unknown as PrivateClientChannel).outgoing.window = 1e9;
    const closed = closeOf(connection.stream);
    channel.on("error", () => {});
    channel.write(Buffer.alloc(20_000_000));
    await closed;
    expect(connection.stream.readableLength).toBeLessThan(4.5 * 1024 ** 2);
    expect(edge.logged.join("\n")).toContain("More data than the window");
  });

  it("when it sends data after its end", async () => {
    const { edge, client } = await useHostile();
    const tunnel = await useControlForward(edge, client);
    const { edge: connection, client: channel } = await tunnel.connect();
    (channel as unknown as PrivateClientChannel).eof();
    (channel as unknown as PrivateClientChannel).outgoing.state = "open";
    channel.write("more");
    await closeOf(connection.stream);
    expect(edge.logged.join("\n")).toContain("Data after the end");
  });

  // ssh2's Channel._write would go round for ever: the whole edge would stand still.
  it.each([0, 1, 1_023])(
    "when it asks for packets of %i bytes",
    async (packetSize) => {
      const { edge, client } = await useHostile();
      const tunnel = await useControlForward(edge, client);
      const { _protocol: protocol } = client as unknown as PrivateClient;
      const confirm = protocol.channelOpenConfirm;
      protocol.channelOpenConfirm = (remote, local, window) =>
        confirm.call(protocol, remote, local, window, packetSize);
      await expect(tunnel.forward.connect(visitor)).rejects.toMatchObject({
        code: "forward-failed",
      });
      expect(edge.logged.join("\n")).toContain("Packets too small");
    },
  );

  it("when it opens a session with tiny packets", async () => {
    const { edge, client } = await useHostile();
    const { _protocol: protocol } = client as unknown as PrivateClient;
    protocol.session(7, 2 ** 21, 0);
    await goneOf(client);
    expect(edge.logged.join("\n")).toContain("Packets too small");
  });

  it("when it asks again and again and reads no answer", async () => {
    const { edge, client } = await useHostile({ maxQueuedBytes: 100_000 });
    const { _protocol: protocol, _sock: socket } =
      client as unknown as PrivateClient;
    socket.pause();
    let lost = false;
    void edge
      .until(() => edge.logged.join("\n").includes("without reading"))
      .then(() => (lost = true));
    while (!lost) {
      // Answered with a failure each.
      for (let i = 0; i < 5_000; i++) protocol.cancelTcpipForward("x", 1, true);
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(edge.ingress.stats().connections).toBe(0);
  });

  it("when it asks on and on while it waits for an answer", async () => {
    const key = useSshKey();
    const edge = await useEmbeddedIngress(key, {
      handlers: { openPlain: () => new Promise(() => {}) },
    });
    const client = await useSsh2Client(edge.port, key);
    const { _protocol: protocol } = client as unknown as PrivateClient;
    client.on("error", () => {});
    const gone = goneOf(client);
    protocol.tcpipForward("", 80, true);
    for (let i = 0; i < 2_000; i++) protocol.cancelTcpipForward("x", 1, true);
    await gone;
    expect(edge.logged.join("\n")).toContain("Too many requests at a time");
  });

  it("when it asks for anything before it has logged in", async () => {
    const edge = await useEmbeddedIngress(useSshKey());
    let hostile: Client | undefined;
    const login = useSsh2Client(
      edge.port,
      useSshKey(),
      {
        authHandler: () => {
          const { _protocol: protocol } = hostile as unknown as PrivateClient;
          protocol.tcpipForward("127.0.0.1", 0, true);
        },
      },
      (client) => (hostile = client),
    );
    await expect(login).rejects.toThrow("Requests before the login.");
    expect(edge.logged.join("\n")).toContain("Requests before the login");
  });
});

describe("what a client may not open", () => {
  it.each<[string, (client: Client, done: Done) => void]>([
    [
      "direct-tcpip",
      (client, done) =>
        client.forwardOut("127.0.0.1", 1, "127.0.0.1", 22, done),
    ],
    [
      "direct-streamlocal",
      (client, done) =>
        client.openssh_forwardOutStreamLocal("/run/x.sock", done),
    ],
    [
      "a forward of a Unix socket",
      (client, done) =>
        client.openssh_forwardInStreamLocal("/run/x.sock", done),
    ],
    ["the sftp subsystem", (client, done) => client.sftp(done)],
    ["another subsystem", (client, done) => client.subsys("netconf", done)],
    ["X11", (client, done) => client.shell({ x11: true } as object, done)],
    [
      "a TCP port that is not HTTP's",
      (client, done) => client.forwardIn("", 2222, done),
    ],
  ])("%s", async (_, attempt) => {
    const { edge, client } = await useHostile();
    const error = await new Promise((resolve) =>
      attempt(client, (refusal) => resolve(refusal)),
    );
    expect(error).toBeInstanceOf(Error);
    expect(edge.ingress.stats().connections).toBe(1);
  });

  it("more sessions than the cap, until one has closed", async () => {
    const { client } = await useHostile({ maxSessions: 2 });
    const first = await exec(client, "a");
    await exec(client, "b");
    await expect(exec(client, "c")).rejects.toThrow("open failure");
    first.resume().close();
    await once(first, "close");
    await fence(client);
    await expect(exec(client, "d")).resolves.toBeDefined();
  });

  it("more forwards than the cap, until one is cancelled", async () => {
    const { client } = await useHostile({ maxForwards: 2 });
    const ports = [await forwardIn(client), await forwardIn(client)];
    await expect(forwardIn(client)).rejects.toThrow("Unable to bind");
    await new Promise((resolve) =>
      client.unforwardIn("127.0.0.1", ports[0]!, resolve),
    );
    const next = await forwardIn(client);
    expect(new Set([...ports, next]).size).toBe(3);
    expect(Math.min(...ports, next)).toBeGreaterThanOrEqual(1_024);
  });

  it("a second command on one session", async () => {
    const { edge, client } = await useHostile();
    const { control } = await useControlForward(edge, client);
    const { _protocol: protocol } = client as unknown as PrivateClient;
    const { id } = (control as unknown as PrivateClientChannel).outgoing;
    protocol.exec(id, "expose-control", true);
    protocol.exec(id, "date", true);
    protocol.shell(id, true);
    await fence(client);
    expect(edge.sessions).toHaveLength(1);
  });

  it("a second control session", async () => {
    const { edge, client } = await useHostile();
    await useControlForward(edge, client);
    await expect(exec(client, "expose-control")).rejects.toThrow(
      "Unable to exec",
    );
    expect(edge.sessions).toHaveLength(1);
  });
});

describe("sessions that are opened and closed without a command", () => {
  it("are answered and forgotten", async () => {
    const { edge, client } = await useHostile({ maxSessions: 2 });
    const { _protocol: protocol } = client as unknown as PrivateClient;
    const closes: number[] = [];
    const handlers = protocol._handlers;
    const onClose = handlers.CHANNEL_CLOSE;
    handlers.CHANNEL_CLOSE = (...fields) => {
      closes.push(fields[1]);
      onClose(...fields);
    };
    const opened: number[] = [];
    handlers.CHANNEL_OPEN_CONFIRMATION = (_peer, { sender }) => {
      opened.push(sender);
      protocol.channelClose(sender);
    };
    for (let i = 0; i < 50; i++) {
      protocol.session(1_000 + i, 2 ** 21, 32_768);
      await fence(client);
    }
    await fence(client);
    expect(opened).toHaveLength(50);
    expect(closes).toEqual(Array.from({ length: 50 }, (_, i) => 1_000 + i));
    expect(edge.ingress.stats().channels).toBe(0);
  });
});

describe("random packets after the login", () => {
  it("end at most their own connection", { timeout: 30_000 }, async () => {
    const key = useSshKey();
    const edge = await useEmbeddedIngress(key);
    for (let round = 0; round < 20; round++) {
      const client = await useSsh2Client(edge.port, key);
      const tunnel = await useControlForward(edge, client);
      await tunnel.connect();
      const { _protocol: protocol } = client as unknown as PrivateClient;
      const gone = goneOf(client);
      for (let i = 0; i < 200; i++) sendRandomPacket(protocol);
      client.end();
      await gone;
    }
    const witness = await useSsh2Client(edge.port, key);
    await useControlForward(edge, witness);
    expect(edge.ingress.stats().connections).toBe(1);
  });
});

describe("what is on its way", () => {
  it("is bounded by what each channel was announced with, and by what was granted since", async () => {
    const { edge, client } = await useHostile();
    const tunnel = await useControlForward(edge, client);
    const { edge: connection, client: channel } = await tunnel.connect();
    expect((channel as unknown as PrivateClientChannel).outgoing.window).toBe(
      START_WINDOW_BYTES,
    );
    connection.stream.pause();
    channel.write(Buffer.alloc(3 * START_WINDOW_BYTES));
    while (connection.stream.readableLength < START_WINDOW_BYTES)
      await fence(client);
    await fence(client);
    expect(connection.stream.readableLength).toBe(START_WINDOW_BYTES);
    let got = 0;
    connection.stream.on("data", (chunk: Buffer) => (got += chunk.length));
    connection.stream.resume();
    while (got < 3 * START_WINDOW_BYTES) await fence(client);
  });

  it("fills the link while the client has not said that it arrived, though the socket has taken it all", async () => {
    const { edge, client } = await useHostile();
    const tunnel = await useControlForward(edge, client);
    const { edge: connection, client: channel } = await tunnel.connect();
    channel.resume();
    // The edge has had its first answers.
    for (let i = 0; i < 5; i++) await fence(client);
    const { _sock: socket } = client as unknown as PrivateClient;
    socket.pause();
    connection.stream.write(Buffer.alloc(400_000));
    await new Promise((resolve) => setTimeout(resolve, 0));
    expect(connection.link!.isFull()).toBe(true);
    socket.resume();
    await new Promise<void>((resolve) => connection.link!.onceDrained(resolve));
    expect(connection.link!.isFull()).toBe(false);
  });

  it("is not waited for when a client answers no request, and answers that nobody asked for harm nobody", async () => {
    const key = useSshKey();
    const edge = await useEmbeddedIngress(key);
    const client = await useSsh2Client(edge.port, key, {}, (mute) =>
      mute.once("handshake", () => {
        const { _protocol: protocol } = mute as unknown as PrivateClient;
        protocol.requestFailure = () => {};
      }),
    );
    const tunnel = await useControlForward(edge, client);
    const { edge: connection, client: channel } = await tunnel.connect();
    let got = 0;
    channel.on("data", (chunk: Buffer) => (got += chunk.length));
    const { _protocol: protocol } = client as unknown as PrivateClient;
    const send = async (): Promise<void> => {
      got = 0;
      for (let i = 0; i < 50; i++) {
        connection.stream.write(Buffer.alloc(64 * 1024));
        if (connection.link!.isFull())
          await new Promise<void>((resolve) =>
            connection.link!.onceDrained(resolve),
          );
      }
      while (got < 50 * 64 * 1024) await once(channel, "data");
    };
    await send();
    const { write } = protocol._packetRW;
    for (let i = 0; i < 1_000; i++) {
      const packet = write.alloc(1);
      // SSH_MSG_REQUEST_SUCCESS and SSH_MSG_REQUEST_FAILURE
      packet[write.allocStart] = 81 + (i & 1);
      protocol._cipher.encrypt(write.finalize(packet));
    }
    await fence(client);
    await send();
  });
});

type Done = (error?: Error | null) => void;

interface PrivateClientChannel {
  outgoing: { id: number; window: number; state: string };
  eof(): void;
}

interface PrivateClient {
  readonly _sock: Socket;
  readonly _protocol: PrivateClientProtocol;
}

interface PrivateClientProtocol {
  _handlers: {
    CHANNEL_CLOSE(peer: unknown, recipient: number): void;
    CHANNEL_OPEN_CONFIRMATION(peer: unknown, info: { sender: number }): void;
  };
  _packetRW: {
    write: {
      allocStart: number;
      alloc(bytes: number): Buffer;
      finalize(packet: Buffer): Buffer;
    };
  };
  _cipher: { encrypt(packet: Buffer): void };
  requestFailure(): void;
  session(channel: number, window: number, packetSize: number): void;
  channelClose(channel: number): void;
  channelOpenConfirm(
    remote: number,
    local: number,
    window: number,
    packetSize: number,
  ): void;
  tcpipForward(address: string, port: number, wantReply: boolean): void;
  cancelTcpipForward(address: string, port: number, wantReply: boolean): void;
  exec(channel: number, command: string, wantReply: boolean): void;
  shell(channel: number, wantReply: boolean): void;
}

async function useHostile(
  limits: Partial<EmbeddedLimits> = {},
): Promise<{ edge: EmbeddedUnderTest; client: Client }> {
  const key = useSshKey();
  const edge = await useEmbeddedIngress(key, { limits });
  const client = await useSsh2Client(edge.port, key);
  return { edge, client };
}

const goneOf = (client: Client): Promise<void> =>
  new Promise((resolve) => client.once("close", () => resolve()));

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

/** A message of the connection protocol (80 to 100) with plausible numbers and random content. */
function sendRandomPacket(protocol: PrivateClientProtocol): void {
  const body = randomBytes(randomBytes(1)[0]!);
  // Channel numbers and lengths are small more often than not.
  for (let i = 0; i + 4 <= body.length; i += 4)
    if (body[i]! & 1) body.writeUInt32BE(body[i]! & 7, i);
  const { write } = protocol._packetRW;
  const packet = write.alloc(1 + body.length);
  packet[write.allocStart] = 80 + (randomBytes(1)[0]! % 21);
  packet.set(body, write.allocStart + 1);
  protocol._cipher.encrypt(write.finalize(packet));
}
