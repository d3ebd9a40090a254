import { once } from "node:events";
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { connect, createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { loadConfig } from "./config/load.ts";
import { createEdge, type Edge } from "./edge.ts";
import { silentLog } from "./util/log.ts";

describe("an edge that is closed while it starts", () => {
  it("rejects the start and leaves nothing open", async () => {
    const { edge, ports } = await useEdge();
    const starting = edge.start();
    const closing = edge.close(0);
    await expect(starting).rejects.toThrow("closed as it started");
    await closing;
    for (const port of ports) expect(await listens(port)).toBe(false);
  });

  it("rejects the start at whatever point the listeners are", async () => {
    for (let turns = 1; turns < 12; turns++) {
      const { edge, ports } = await useEdge();
      const starting = edge.start();
      starting.catch(() => {});
      for (let i = 0; i < turns; i++)
        await new Promise((resolve) => setImmediate(resolve));
      await edge.close(0);
      await starting.catch(() => {});
      for (const port of ports) expect(await listens(port)).toBe(false);
    }
  });
});

describe("an edge that cannot start", () => {
  it("leaves no file open when the users file is wrong", async () => {
    const folder = useFolder();
    const log = join(folder, "access.log");
    writeFileSync(join(folder, "users"), "no key\n", { mode: 0o600 });
    const edge = createEdge(
      loadConfig({
        values: { "state-dir": folder, "access-log": { file: log } },
      }),
      { log: silentLog },
    );
    await expect(edge.start()).rejects.toMatchObject({ code: "users-invalid" });
    // It got as far as that.
    expect(existsSync(log)).toBe(true);
    expect(openFiles()).not.toContain(log);
  });
});

const openFiles = (): string[] =>
  readdirSync("/proc/self/fd").flatMap((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`);
    } catch {
      // The one that the folder was read with.
      return [];
    }
  });

function useFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "expose-edge-test-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

async function useEdge(): Promise<{ edge: Edge; ports: number[] }> {
  const folder = useFolder();
  const ports = [await freePort(), await freePort(), await freePort()];
  const [http, ssh, admin] = ports;
  const edge = createEdge(
    loadConfig({
      values: {
        listen: `127.0.0.1:${http}`,
        "state-dir": folder,
        ingress: { embedded: { listen: `127.0.0.1:${ssh}` } },
        admin: { listen: `127.0.0.1:${admin}` },
        "access-log": { format: "off" },
      },
    }),
    { log: silentLog },
  );
  onTestFinished(() => edge.close(0));
  return { edge, ports };
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

async function listens(port: number): Promise<boolean> {
  const socket = connect(port, "127.0.0.1");
  try {
    await once(socket, "connect");
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}
