import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer, type AddressInfo, type Socket } from "node:net";
import ssh2 from "ssh2";
import { describe, expect, it, onTestFinished } from "vitest";
import {
  startSsh,
  useSshKey,
} from "../../../../../test/harness/openssh-client.ts";
import type { Forward } from "../forward.ts";
import { defaultLimits, type EmbeddedLimits } from "./options.ts";
import {
  useControlForward,
  useEmbeddedIngress,
  useSsh2Client,
} from "./test-support.ts";
import { createUpkeep, upkeepIntervalMs, type Vitals } from "./upkeep.ts";

const quiet: Vitals = {
  now: 0,
  bytesRead: 0,
  bytesSent: 0,
  bytesQueued: 0,
  rekeying: false,
  used: true,
};

describe("the upkeep of a connection", () => {
  it("pings once after 15 s of silence and gives up after 45 s", () => {
    expect(stepsOf(60, () => quiet)).toEqual([
      [15, "ping"],
      [45, "No sign of life from the client."],
    ]);
  });

  it("takes any byte from the client for a sign of life", () => {
    const steps = stepsOf(300, (second) => ({
      ...quiet,
      bytesRead: Math.floor(second / 40),
    }));
    expect(new Set(steps.map(([, step]) => step))).toEqual(new Set(["ping"]));
  });

  it("takes an upload that moves over a slow line for a sign of life", () => {
    const steps = stepsOf(300, (second) => ({
      ...quiet,
      bytesQueued: 200_000,
      bytesSent: second * 1_000,
    }));
    expect(steps).toEqual([]);
  });

  it("is not fooled by what the operating system takes over at once", () => {
    const steps = stepsOf(60, (second) => ({
      ...quiet,
      // Our own ping goes out and nothing waits.
      bytesSent: second >= 15 ? 40 : 0,
    }));
    expect(steps.at(-1)).toEqual([45, "No sign of life from the client."]);
  });

  it("gives up when an upload stands still", () => {
    const steps = stepsOf(60, () => ({ ...quiet, bytesQueued: 200_000 }));
    expect(steps.at(-1)).toEqual([45, "No sign of life from the client."]);
  });

  it("blames nobody for the time in which the edge itself stood still", () => {
    const upkeep = createUpkeep(defaultLimits, 0);
    upkeep.check({ ...quiet, now: 5_000 });
    expect(upkeep.check({ ...quiet, now: 500_000 })).toEqual({ do: "nothing" });
    expect(upkeep.check({ ...quiet, now: 505_000 })).toEqual({ do: "nothing" });
  });

  it("ends a connection on which nothing is open after a minute", () => {
    const steps = stepsOf(120, (second) => ({
      ...quiet,
      bytesRead: second,
      used: second < 30,
    }));
    expect(steps).toEqual([[85, "Nothing was opened on this connection."]]);
  });

  it("ends a connection for which too much waits", () => {
    const steps = stepsOf(60, (second) => ({
      ...quiet,
      bytesRead: second,
      bytesQueued: second < 30 ? 0 : defaultLimits.maxQueuedBytes + 1,
    }));
    expect(steps).toEqual([
      [30, "The client does not read what it asked for."],
    ]);
  });

  it("asks for new keys after 1 GiB in both directions together, and again after the next", () => {
    const steps = stepsOf(30, (second) => ({
      ...quiet,
      bytesRead: second * 60_000_000,
      bytesSent: second * 60_000_000,
    }));
    expect(steps).toEqual([
      [10, "rekey"],
      [20, "rekey"],
      [30, "rekey"],
    ]);
  });

  it("asks for new keys every hour", () => {
    const steps = stepsOf(2 * 3_600, (second) => ({
      ...quiet,
      bytesRead: second,
    }));
    expect(steps).toEqual([
      [3_600, "rekey"],
      [7_200, "rekey"],
    ]);
  });

  it("gives up when a key exchange does not end", () => {
    const steps = stepsOf(120, (second) => ({
      ...quiet,
      bytesRead: second,
      rekeying: second >= 20,
    }));
    expect(steps).toEqual([
      [65, "The client does not finish the key exchange."],
    ]);
  });
});

describe("a live connection", () => {
  it("that vanishes without a word is ended, and its forwards with it", async () => {
    const key = useSshKey();
    const edge = await useEmbeddedIngress(key, {
      limits: { pingAfterMs: 100, deadAfterMs: 300 },
    });
    const ssh = startSsh({
      ...{ port: edge.port, key },
      args: ["-R", "80:localhost:9"],
    });
    await ssh.waitFor(/random\.test/);
    const closed = new Promise<void>((resolve) =>
      edge.plain[0]!.forward.onceClosed(resolve),
    );
    ssh.kill("SIGSTOP");
    await closed;
    expect(edge.logged.join("\n")).toContain("No sign of life");
  });

  it("is judged by this alone, not by the keepalive of ssh2 that a slow line defeats", async () => {
    const { KEEPALIVE_CLIENT_INTERVAL: before } = ssh2.Server;
    onTestFinished(() => {
      ssh2.Server.KEEPALIVE_CLIENT_INTERVAL = before;
    });
    ssh2.Server.KEEPALIVE_CLIENT_INTERVAL = 5;
    const key = useSshKey();
    const edge = await useEmbeddedIngress(key, {
      limits: { pingAfterMs: 100, deadAfterMs: 300 },
    });
    const client = await useSsh2Client(edge.port, key);
    (client as unknown as { _sock: Socket })._sock.pause();
    await edge.until(() => edge.logged.join("\n").includes("session ended"));
    expect(edge.logged.join("\n")).toContain("No sign of life");
  });

  it("that only answers pings stays", async () => {
    const key = useSshKey();
    const edge = await useEmbeddedIngress(key, {
      limits: { pingAfterMs: 30, deadAfterMs: 150 },
    });
    const client = await useSsh2Client(edge.port, key);
    const { forward } = await useControlForward(edge, client);
    let pings = 0;
    await new Promise<void>((resolve) => {
      const inner = client as unknown as {
        _protocol: { _handlers: Record<string, (...f: unknown[]) => void> };
      };
      const handlers = inner._protocol._handlers;
      const onRequest = handlers.GLOBAL_REQUEST!;
      handlers.GLOBAL_REQUEST = (...fields) => {
        onRequest(...fields);
        if (++pings === 10) resolve();
      };
    });
    expect(forward.closed).toBe(false);
  });

  it.each([
    ["ssh2's client", useSsh2Echo],
    ["OpenSSH", useOpensshEcho],
  ])(
    "of %s keeps its bytes in order while the edge changes the keys",
    async (_, useEcho) => {
      const { forward, keyChanges } = await useEcho({
        ...{ rekeyAfterBytes: 200_000, pingAfterMs: 30, deadAfterMs: 5_000 },
      });
      const { stream, link } = await forward.connect({
        address: "192.0.2.7",
        port: 1,
      });
      const block = randomBytes(1_000_000);
      const sent = createHash("sha256");
      const received = createHash("sha256");
      stream.on("data", (chunk: Buffer) => received.update(chunk));
      const ended = once(stream, "end");
      // Keys change by the clock too, so the faster the link is the more has to pass.
      for (let blocks = 0; blocks < 10 || keyChanges() <= 3; blocks++)
        for (let at = 0; at < block.length; at += 65_536) {
          const piece = block.subarray(at, at + 65_536);
          sent.update(piece);
          if (!stream.write(piece)) await once(stream, "drain");
          if (link!.isFull())
            await new Promise<void>((resolve) => link!.onceDrained(resolve));
        }
      stream.end();
      await ended;
      expect(received.digest("hex")).toBe(sent.digest("hex"));
    },
  );

  it("that stalls a key exchange is full meanwhile, and ended in the end", async () => {
    const key = useSshKey();
    const edge = await useEmbeddedIngress(key, {
      limits: { rekeyAfterBytes: 1, pingAfterMs: 30, deadAfterMs: 200 },
    });
    const client = await useSsh2Client(edge.port, key);
    const tunnel = await useControlForward(edge, client);
    const { edge: connection } = await tunnel.connect();
    // From here on it reads nothing, so it never answers the KEXINIT, but it goes on sending.
    const { _sock: socket, _protocol: protocol } = client as unknown as {
      _sock: Socket;
      _protocol: { ping(): void };
    };
    socket.pause();
    const chatter = setInterval(() => protocol.ping(), 20);
    onTestFinished(() => clearInterval(chatter));
    const closed = new Promise<void>((resolve) =>
      tunnel.forward.onceClosed(resolve),
    );
    while (!connection.link!.isFull())
      await new Promise((resolve) => setImmediate(resolve));
    const drained = new Promise<void>((resolve) =>
      connection.link!.onceDrained(resolve),
    );
    await Promise.all([closed, drained]);
    expect(edge.logged.join("\n")).toContain(
      "does not finish the key exchange",
    );
  });
});

interface Echo {
  readonly forward: Forward;
  readonly keyChanges: () => number;
}

async function useSsh2Echo(limits: Partial<EmbeddedLimits>): Promise<Echo> {
  const key = useSshKey();
  const edge = await useEmbeddedIngress(key, { limits });
  const client = await useSsh2Client(edge.port, key);
  let keyChanges = 0;
  client.on("handshake", () => keyChanges++);
  client.on("tcp connection", (_details, accept) => {
    const channel = accept();
    channel.pipe(channel);
  });
  await new Promise((resolve) => client.forwardIn("shop", 80, resolve));
  return { forward: edge.plain[0]!.forward, keyChanges: () => keyChanges };
}

async function useOpensshEcho(limits: Partial<EmbeddedLimits>): Promise<Echo> {
  const key = useSshKey();
  const edge = await useEmbeddedIngress(key, { limits });
  const server = createServer((socket) => {
    socket.on("error", () => {});
    socket.pipe(socket);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => void server.close());
  const { port } = server.address() as AddressInfo;
  const ssh = startSsh({
    ...{ port: edge.port, key },
    args: ["-v", "-R", `80:127.0.0.1:${port}`],
  });
  await ssh.waitFor(/random\.test/);
  return {
    forward: edge.plain[0]!.forward,
    keyChanges: () => ssh.stderr.split("SSH2_MSG_NEWKEYS received").length - 2,
  };
}

/** Plays seconds and gives those in which there was something to do. */
function stepsOf(
  seconds: number,
  vitals: (second: number) => Vitals,
): [number, string][] {
  const upkeep = createUpkeep(defaultLimits, 0);
  const every = upkeepIntervalMs(defaultLimits) / 1_000;
  const steps: [number, string][] = [];
  for (let second = every; second <= seconds; second += every) {
    const step = upkeep.check({ ...vitals(second), now: second * 1_000 });
    if (step.do === "end") return [...steps, [second, step.why]];
    if (step.do !== "nothing") steps.push([second, step.do]);
  }
  return steps;
}
