import { getEventListeners, once } from "node:events";
import type { LookupAddress } from "node:dns";
import { afterAll, describe, expect, it, vi } from "vitest";
import { dial } from "./dial.ts";
import { createSandbox, freePort } from "./testing/sandbox.ts";

const sandbox = createSandbox();
afterAll(() => sandbox.dispose());

const answering =
  (...addresses: string[]) =>
  (
    _host: string,
    _options: unknown,
    done: (error: null, addresses: LookupAddress[]) => void,
  ): void =>
    done(
      null,
      addresses.map((address) => ({
        address,
        family: address.includes(":") ? 6 : 4,
      })),
    );

describe("dialling a server", () => {
  it("gives a socket that sends small writes at once", async () => {
    const port = await sandbox.tcp((socket) => socket.end("hello"));
    const socket = await dial(await sandbox.target(`127.0.0.1:${port}`));
    expect(String((await once(socket, "data"))[0])).toBe("hello");
    socket.destroy();
  });

  it("dials the first jump host, not the target behind it", async () => {
    const port = await sandbox.tcp((socket) => socket.end("jump"));
    const target = await sandbox.target("inner.invalid", {
      sshConfig: sandbox.write(
        "jump-config",
        `Host inner.invalid\n  ProxyJump 127.0.0.1:${port},second.invalid\n`,
      ),
    });
    const socket = await dial(target);
    expect(String((await once(socket, "data"))[0])).toBe("jump");
    socket.destroy();
  });

  it("takes the family that answers, though the other one is silent", async () => {
    const port = await sandbox.blackHole("::1");
    const { createServer } = await import("node:net");
    const server = createServer((socket) => socket.end()).listen(
      port,
      "127.0.0.1",
    );
    await once(server, "listening");
    const target = await sandbox.target(`dual.example.com:${port}`);
    const started = performance.now();
    const socket = await dial(
      target,
      undefined,
      5_000,
      answering("::1", "127.0.0.1"),
    );
    expect(socket.remoteAddress).toBe("127.0.0.1");
    expect(performance.now() - started).toBeLessThan(2_000);
    // The attempt at the silent one has ended.
    await vi.waitUntil(
      () => !process.getActiveResourcesInfo().includes("ConnectWrap"),
    );
    socket.destroy();
    server.close();
  });

  it("keeps an early address that answers late, while later ones are tried", async () => {
    const port = await sandbox.tcp(() => {});
    const target = await sandbox.target(`dual.example.com:${port}`);
    // Nothing listens on the first; the second is tried at once and not after a wait.
    const started = performance.now();
    const socket = await dial(
      target,
      undefined,
      5_000,
      answering("127.0.0.9", "127.0.0.1"),
    );
    expect(socket.remoteAddress).toBe("127.0.0.1");
    expect(performance.now() - started).toBeLessThan(200);
    socket.destroy();
  });
});

describe("a server that cannot be reached", () => {
  it("refuses: the error says so and carries the system's", async () => {
    const port = await freePort();
    await expect(
      dial(await sandbox.target(`127.0.0.1:${port}`)),
    ).rejects.toMatchObject({
      code: "server-unreachable",
      final: false,
      message: expect.stringContaining(`nothing listens on port ${port}`),
      cause: { code: "ECONNREFUSED" },
    });
  });

  it("has a name that nobody knows", async () => {
    const target = await sandbox.target("no-such-host.invalid");
    await expect(dial(target)).rejects.toMatchObject({
      code: "server-unreachable",
      message: expect.stringContaining("no-such-host.invalid"),
      cause: { code: expect.stringMatching(/ENOTFOUND|EAI_AGAIN/) },
    });
  });

  it("says nothing: the attempt ends in time", async () => {
    const port = await sandbox.blackHole();
    await expect(
      dial(await sandbox.target(`127.0.0.1:${port}`), undefined, 300),
    ).rejects.toMatchObject({
      code: "server-unreachable",
      message: expect.stringContaining("no answer within 0.3 s"),
      cause: { code: "ETIMEDOUT" },
    });
  });

  it("is left when the caller changes his mind, and no listener stays", async () => {
    const port = await sandbox.blackHole();
    const controller = new AbortController();
    const dialling = dial(
      await sandbox.target(`127.0.0.1:${port}`),
      controller.signal,
    );
    controller.abort();
    await expect(dialling).rejects.toMatchObject({ code: "aborted" });
    expect(getEventListeners(controller.signal, "abort")).toHaveLength(0);
    await expect(
      dial(await sandbox.target("127.0.0.1"), controller.signal),
    ).rejects.toMatchObject({ code: "aborted" });
  });
});
