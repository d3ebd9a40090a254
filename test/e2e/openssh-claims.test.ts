// Hostile clients of the openssh ingress: what a tenant gets who claims ports, names and connections that are not theirs, and
// what is left to one whose key was removed. Clients here speak the protocol by hand, and hold on to whatever they have.
// one ingress only: ports, proofs and the account exist behind sshd alone; channels of the embedded server need none of them
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { connect, createServer, type AddressInfo } from "node:net";
import ssh2, { type Client, type ClientChannel } from "ssh2";
import {
  afterAll,
  beforeAll,
  describe,
  expect,
  it,
  onTestFinished,
} from "vitest";
import { freePort } from "../harness/plain-sshd.ts";
import { visit } from "../harness/visit.ts";
import { startWorld, type World } from "../harness/worlds.ts";

let world: World;

beforeAll(async () => {
  world = await startWorld("openssh");
});

afterAll(async () => {
  await world?.stop();
});

describe("a tenant who claims a port", () => {
  it("of another tenant gets nothing, and the other's client hears nothing of it", async () => {
    const alice = await useTenant("alice");
    const port = await alice.forward();
    await alice.open("shop", port);
    const bob = await useTenant("bob");
    await bob.open("evil", port);

    const stolen = await visit(world.urlOf("evil"));
    expect(stolen.status).toBe(502);
    expect(stolen.headers["expose-error"]).toBe("forward-failed");
    const own = await visit(world.urlOf("shop"));
    expect(own.text).toBe("alice");
    // The edge did come to alice's port for bob, and left without a word.
    expect(alice.channels.map(({ received }) => received)).toContain("");
    // What arrived on channels other than those that bore the edge's proof for alice.
    for (const channel of alice.channels)
      if (!channel.received.startsWith(alice.edgeProof))
        expect(channel.received).toBe("");
    expect(bob.channels).toHaveLength(0);
  });

  it("of a service of the server has it connected to, and sent nothing", async () => {
    let received = "";
    let connections = 0;
    const postgres = createServer((socket) => {
      connections++;
      socket.on("data", (chunk) => (received += String(chunk)));
      socket.on("error", () => {});
      // PostgreSQL waits for the client; this one is worse and talks first.
      socket.write("x".repeat(100));
    });
    postgres.listen(0, "127.0.0.1");
    await once(postgres, "listening");
    onTestFinished(() => void postgres.close());
    const bob = await useTenant("bob");
    await bob.open("db", (postgres.address() as AddressInfo).port);
    const stolen = await visit(world.urlOf("db"), "/secret");
    expect(stolen.status).toBe(502);
    expect(stolen.text).not.toContain("xxx");
    expect(connections).toBeGreaterThan(0);
    expect(received).toBe("");
  });

  it("of the edge itself or of the system is refused", async () => {
    const bob = await useTenant("bob");
    for (const port of [world.httpPort, world.adminPort, 22, 80, 1023])
      expect(await bob.ask("mine", port)).toMatchObject({
        t: "refused",
        code: "forward-missing",
      });
  });
});

it("a tenant who claims another's name is refused, and the other keeps it", async () => {
  const alice = await useTenant("alice");
  await alice.open("taken", await alice.forward());
  const bob = await useTenant("bob");
  expect(await bob.ask("taken", await bob.forward())).toMatchObject({
    t: "refused",
    code: "name-taken",
  });
  expect((await visit(world.urlOf("taken"))).text).toBe("alice");
});

it("a client that was superseded and holds on gets no request more, and loses its connection", async () => {
  const old = await useTenant("alice", "old");
  const port = await old.forward();
  await old.open("mine", port);
  expect((await visit(world.urlOf("mine"))).text).toBe("old");
  const requests = countRequests(old);

  const began = performance.now();
  const next = await useTenant("alice", "new");
  await next.open("mine", await next.forward());
  expect((await visit(world.urlOf("mine"))).text).toBe("new");
  expect(await old.hears("closed")).toMatchObject({ code: "superseded" });
  await old.closed;
  expect(performance.now() - began).toBeLessThan(2_000);
  expect(countRequests(old)).toBe(requests);
  await expect(dial(port)).rejects.toThrow("ECONNREFUSED");
});

describe("a tenant whose key is removed", () => {
  it("loses session, route and ports within a second, with and without a session", async () => {
    const granted = [await freePort(), await freePort()];
    world.identity("mallory", `direct-ports="${granted.join(",")}"`);
    await world.edge.waitFor(/added=mallory/);
    const [mallory, silent] = [
      await useTenant("mallory"),
      await useTenant("mallory", "x", { session: false }),
    ];
    const port = await mallory.forward();
    await mallory.open("mallory", port);
    await mallory.forward("0.0.0.0", granted[0]!);
    await silent.forward("0.0.0.0", granted[1]!);
    // A visitor's connection is what keeps sshd from ending one that has no session.
    const visitor = await dial(granted[1]!);
    onTestFinished(() => void visitor.destroy());
    expect((await visit(world.urlOf("mallory"))).text).toBe("mallory");

    const began = performance.now();
    world.removeIdentity("mallory");
    await Promise.all([mallory.closed, silent.closed]);
    expect(performance.now() - began).toBeLessThan(1_000);
    expect(await mallory.hears("closed")).toMatchObject({ code: "revoked" });
    for (const gone of [port, ...granted])
      await expect(dial(gone)).rejects.toThrow("ECONNREFUSED");
    const late = await visit(world.urlOf("mallory"));
    expect([404, 503]).toContain(late.status);
    await expect(useTenant("mallory")).rejects.toThrow(
      "authentication methods failed",
    );
  });
});

/** Requests that a tenant's channels have borne, whole or in part. What else they bear is the edge's proof. */
const countRequests = ({ channels, edgeProof }: Tenant): number =>
  channels.filter(({ received }) => received.replace(edgeProof, "") !== "")
    .length;

interface Message {
  t: string;
  id?: number;
  [field: string]: unknown;
}

interface TenantChannel {
  received: string;
}

/** A client of the protocol that obeys nobody. It answers each request with its label. */
interface Tenant {
  readonly edgeProof: string;
  readonly channels: readonly TenantChannel[];
  /** Resolves when the SSH connection has closed. */
  readonly closed: Promise<void>;
  forward(address?: string, port?: number): Promise<number>;
  /** Asks for a tunnel, whatever port that is. Resolves with the answer. */
  ask(name: string, port: number): Promise<Message>;
  /** The same, and it must be opened. */
  open(name: string, port: number): Promise<void>;
  hears(t: string): Promise<Message>;
}

async function useTenant(
  id: string,
  label = id,
  { session = true } = {},
): Promise<Tenant> {
  const client = new ssh2.Client();
  onTestFinished(() => void client.destroy());
  await new Promise<void>((resolve, reject) => {
    client.on("error", reject);
    client.once("ready", resolve);
    client.connect({
      host: "127.0.0.1",
      port: world.sshd!.port,
      username: world.sshd!.account,
      privateKey: readFileSync(world.identity(id)),
    });
  });
  const closed = new Promise<void>((resolve) =>
    client.once("close", () => resolve()),
  );
  const channels: TenantChannel[] = [];
  let clientProof = "";
  let edgeProof = "";
  let nextId = 1;

  client.on("tcp connection", (_, accept) => {
    const channel = accept();
    const seen: TenantChannel = { received: "" };
    channels.push(seen);
    channel.on("error", () => {});
    channel.write(clientProof);
    channel.on("data", (chunk: Buffer) => {
      seen.received += chunk.toString("latin1");
      if (seen.received.endsWith("\r\n\r\n"))
        channel.write(
          `HTTP/1.1 200 OK\r\nContent-Length: ${label.length}\r\n\r\n${label}`,
        );
    });
  });

  const control = session ? await openControl(client) : undefined;
  if (control) {
    control.say({ t: "hello", v: 1, client: "test" });
    const welcome = await control.hears("welcome");
    ({ client: clientProof, edge: edgeProof } = welcome["proof"] as {
      client: string;
      edge: string;
    });
  }

  const tenant: Tenant = {
    get edgeProof() {
      return edgeProof;
    },
    channels,
    closed,
    forward: (address = "127.0.0.1", port = 0) =>
      new Promise((resolve, reject) =>
        client.forwardIn(address, port, (error, got) =>
          error ? reject(error) : resolve(port || got),
        ),
      ),
    async ask(name, port) {
      const number = nextId++;
      control!.say({
        t: "open",
        id: number,
        kind: "http",
        port,
        name,
        upstream: "x",
      });
      return control!.hears("opened|refused", number);
    },
    async open(name, port) {
      expect(await tenant.ask(name, port)).toMatchObject({ t: "opened", name });
    },
    hears: (t) => control!.hears(t),
  };
  return tenant;
}

async function openControl(client: Client) {
  const channel = await new Promise<ClientChannel>((resolve, reject) =>
    client.exec("expose-control", (error, opened) =>
      error ? reject(error) : resolve(opened),
    ),
  );
  channel.on("error", () => {});
  const messages: Message[] = [];
  const watchers = new Set<() => void>();
  let rest = "";
  channel.on("data", (chunk: Buffer) => {
    const lines = (rest + String(chunk)).split("\n");
    rest = lines.pop()!;
    for (const line of lines) messages.push(JSON.parse(line) as Message);
    for (const watch of watchers) watch();
  });
  return {
    say: (message: Message) =>
      void channel.write(`${JSON.stringify(message)}\n`),
    hears: (types: string, id?: number) =>
      new Promise<Message>((resolve) => {
        const watch = (): void => {
          const found = messages.find(
            (message) =>
              types.split("|").includes(message.t) &&
              (id === undefined || message.id === id),
          );
          if (!found) return;
          watchers.delete(watch);
          resolve(found);
        };
        watchers.add(watch);
        watch();
      }),
  };
}

async function dial(port: number) {
  const socket = connect(port, "127.0.0.1");
  await once(socket, "connect");
  socket.on("error", () => {});
  return socket;
}
