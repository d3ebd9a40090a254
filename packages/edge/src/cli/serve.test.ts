import { createServer } from "node:net";
import { once } from "node:events";
import {
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { request, type IncomingMessage } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { useKey } from "../registry/ssh-keygen.fixture.ts";
import { fakeIo, type FakeIo } from "./fake-io.fixture.ts";
import { runCli } from "./run.ts";

describe("serve", () => {
  it("serves until SIGTERM, says where it listens, and ends with status 0", async () => {
    const { io, ended, ports } = await useServe();
    expect(await get(ports.http, "/", "nobody.localhost")).toMatchObject({
      status: 404,
    });
    expect(await get(ports.admin, "/readyz")).toEqual({
      status: 200,
      body: "ready\n",
    });
    expect((await get(ports.admin, "/metrics")).body).toContain(
      'expose_request_errors_total{code="tunnel-unknown"} 1',
    );
    io.signals.emit("SIGTERM");
    expect(await ended).toBe(0);
    expect(io.err()).toMatch(/ stopping .*signal=SIGTERM/);
    expect(io.exits).toEqual([]);
    expect(io.signals.eventNames()).toEqual([]);
  });

  it("ends at once at the second signal, with the status of a process that died of it", async () => {
    const { io, ended } = await useServe();
    io.signals.emit("SIGINT");
    io.signals.emit("SIGINT");
    expect(io.exits).toEqual([130]);
    await ended;
  });

  it("reopens the access log and reads the users file at SIGHUP", async () => {
    const { io, ports, folder } = await useServe([
      "--access-log-file",
      "FOLDER/access.log",
    ]);
    const file = join(folder, "access.log");
    await get(ports.http, "/one", "nobody.localhost");
    await vi.waitFor(() =>
      expect(readFileSync(file, "utf8")).toContain("/one"),
    );
    renameSync(file, `${file}.1`);
    writeFileSync(join(folder, "users"), `${useKey().publicText} alice\n`);
    io.signals.emit("SIGHUP");
    await io.waitFor(/users file loaded .*added=alice/);
    await get(ports.http, "/two", "nobody.localhost");
    io.signals.emit("SIGTERM");
    await io.waitFor(/ stopped\n/);
    const line = JSON.parse(readFileSync(file, "utf8")) as { url: string };
    expect(line.url).toMatch(/^nobody\.localhost.*\/two$/);
  });

  it("stops when the signal comes before it has started", async () => {
    const { io, ended } = startServe();
    // The listeners are there as soon as the edge was loaded.
    while (io.signals.listenerCount("SIGTERM") === 0)
      await new Promise((resolve) => setImmediate(resolve));
    io.signals.emit("SIGTERM");
    expect(await ended).toBe(0);
  });

  it.each([
    ["--listen", "listen"],
    ["--ingress-embedded-listen", "ingress.embedded.listen"],
    ["--admin-listen", "admin.listen"],
  ])(
    "says that the address of %s is in use, with status 4, and leaves nothing open",
    async (flag) => {
      const other = createServer().listen(0, "127.0.0.1");
      onTestFinished(() => void other.close());
      await once(other, "listening");
      const address = other.address();
      const port = typeof address === "object" ? address!.port : 0;
      const { io, ended } = startServe([flag, `127.0.0.1:${port}`]);
      expect(await ended).toBe(4);
      expect(io.err()).toMatch(
        new RegExp(`expose-edge: .*${port}.* \\[listen-failed\\]\\n$`),
      );
      expect(io.signals.eventNames()).toEqual([]);
    },
  );

  it.each([
    [["--state-dir", "/dev/null/state"], 8, "state-unwritable"],
    [["--access-log-file", "/nowhere/access.log"], 8, "log-unwritable"],
    [["--listen", "here"], 3, "config-invalid"],
  ])("ends with the status of what failed: %j", async (flags, status, code) => {
    const { io, ended } = startServe(flags);
    expect(await ended).toBe(status);
    expect(io.err()).toContain(`[${code}]`);
  });

  it("does not start with a broken users file, with status 5", async () => {
    const { io, ended } = startServe([], "broken line\n");
    expect(await ended).toBe(5);
    expect(io.err()).toContain("[users-invalid]");
  });
});

function startServe(
  flags: readonly string[] = [],
  users = "",
): {
  io: FakeIo;
  ended: Promise<number>;
  folder: string;
} {
  const folder = mkdtempSync(join(tmpdir(), "edge-serve-"));
  writeFileSync(join(folder, "users"), users, { mode: 0o600 });
  const io = fakeIo();
  const ended = runCli(
    [
      "serve",
      ...["--state-dir", folder],
      ...["--listen", "127.0.0.1:0"],
      ...["--ingress-embedded-listen", "127.0.0.1:0"],
      ...["--admin-listen", "127.0.0.1:0"],
      ...["--access-log-file", join(folder, "default.log")],
      // Lists add up when a flag is repeated; texts and paths take the last one.
      ...flags.map((flag) => flag.replace("FOLDER", folder)),
    ],
    io,
  );
  onTestFinished(async () => {
    io.signals.emit("SIGTERM");
    await ended;
    rmSync(folder, { recursive: true });
  });
  return { io, ended, folder };
}

async function useServe(flags: readonly string[] = []) {
  const started = startServe(flags);
  const [, http, ssh, admin] = await started.io.waitFor(
    / ready http=127\.0\.0\.1:(\d+) ssh=127\.0\.0\.1:(\d+) admin=127\.0\.0\.1:(\d+)/,
  );
  return {
    ...started,
    ports: { http: Number(http), ssh: Number(ssh), admin: Number(admin) },
  };
}

async function get(port: number, path: string, host = "localhost") {
  const call = request({
    port,
    host: "127.0.0.1",
    path,
    agent: false,
    headers: { host: `${host}:${port}` },
  });
  call.end();
  const [response] = (await once(call, "response")) as [IncomingMessage];
  return { status: response.statusCode, body: await text(response) };
}
