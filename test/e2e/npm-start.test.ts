// `npm start`, as a newcomer runs it: what it prints works, and Ctrl-C leaves nothing behind.
// one ingress only: it shows the embedded one, which needs nothing else on the machine
import { once } from "node:events";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { connect, createServer } from "node:net";
import { networkInterfaces, tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { renderUnicodeCompact } from "uqr";
import { startProgram, type RunningProgram } from "../harness/processes.ts";
import { hello, startUpstream } from "../harness/upstreams.ts";
import { visit } from "../harness/visit.ts";

const ROOT = join(import.meta.dirname, "../..");
const URL_LINE = /^(http:\/\/\S+) -> /m;

let temporary: string;

beforeEach(() => {
  temporary = mkdtempSync(join(tmpdir(), "expose-start-"));
  onTestFinished(() => rmSync(temporary, { recursive: true }));
});

const demoFolders = (): string[] =>
  readdirSync(temporary).filter((name) => name.startsWith("expose-demo-"));

/** Starts it in a process group of its own, so that a signal reaches npm and all below it, as Ctrl-C in a terminal does. */
function npmStart(...args: string[]): RunningProgram {
  const program = startProgram("npm", ["start", "--", ...args], {
    cwd: ROOT,
    detached: true,
    env: { ...process.env, TMPDIR: temporary },
  });
  onTestFinished(async () => {
    const kill = setTimeout(() => void endGroup(program, "SIGKILL"), 5_000);
    // So that it removes its files.
    await endGroup(program, "SIGINT");
    clearTimeout(kill);
  });
  return program;
}

/** Resolves when its output is closed, which npm and all that it started had to let go of. */
async function endGroup(
  program: RunningProgram,
  signal: NodeJS.Signals,
): Promise<void> {
  try {
    process.kill(-program.child.pid!, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
  await program.exited;
}

async function urlOf(program: RunningProgram): Promise<string> {
  const [, url] = await program.waitFor(URL_LINE);
  return url!;
}

test("the URL works, and each request is shown with its headers", async () => {
  const program = npmStart();
  const url = await urlOf(program);
  expect(new URL(url).hostname).toBe("demo.localhost");
  expect(program.stdout).toContain(`curl ${url}/hello`);

  const { status, text } = await visit(url, "/some/path?q=1", {
    headers: { "X-Seen": "yes" },
  });
  expect({ status, text }).toEqual({
    status: 200,
    text: "hello /some/path?q=1\n",
  });
  await program.waitFor(/^GET \/some\/path\?q=1 HTTP\/1\.1$/m);
  await program.waitFor(/^ {4}X-Seen: yes$/m);
  await program.waitFor(/^GET \/some\/path\S* 200 \d+ ms$/m);
  const [, page] = await program.waitFor(/replay them: (http:\S+)$/m);
  const inspector = await fetch(page!);
  expect(await inspector.text()).toContain("<title>");
  // A QR code would lead a phone to itself.
  expect(program.stdout).not.toContain("█");
});

test.each(["SIGINT", "SIGTERM"] as const)(
  "%s ends everything within a second and leaves nothing behind",
  async (signal) => {
    const program = npmStart();
    const url = await urlOf(program);
    await visit(url);
    expect(demoFolders()).toHaveLength(1);

    const startedAt = performance.now();
    await endGroup(program, signal);
    expect(performance.now() - startedAt).toBeLessThan(1_000);
    // npm may have its own to say about the machine's settings.
    expect(program.stderr.replace(/^npm (warn|notice).*\n/gm, "")).toBe("");
    expect(demoFolders()).toEqual([]);
    await expect(visit(url)).rejects.toThrow("ECONNREFUSED");
  },
);

test("Ctrl-C while a request runs ends everything within a second too", async () => {
  const upstream = await startUpstream((_request, response) => {
    response.write("and now wait");
  });
  const program = npmStart(String(upstream.port));
  const url = new URL(await urlOf(program));
  const socket = connect(Number(url.port), "127.0.0.1");
  onTestFinished(() => void socket.destroy());
  socket.on("error", () => {});
  socket.write(`GET / HTTP/1.1\r\nHost: ${url.host}\r\n\r\n`);
  await once(socket, "data");

  const startedAt = performance.now();
  await endGroup(program, "SIGINT");
  expect(performance.now() - startedAt).toBeLessThan(1_000);
});

test("a port that is in use is replaced by a free one, and said", async () => {
  const holder = createServer().listen(7780, "127.0.0.1");
  onTestFinished(() => void holder.close());
  // Whoever has the port already serves as well.
  await Promise.race([once(holder, "listening"), once(holder, "error")]);
  const program = npmStart();
  const url = await urlOf(program);
  const { port } = new URL(url);
  expect(port).not.toBe("7780");
  expect(program.stdout).toContain(
    `Port 7780 is in use; this is ${port} instead.`,
  );
  expect((await visit(url, "/x")).text).toBe("hello /x\n");
});

test("a second one runs beside the first", async () => {
  const [first, second] = [npmStart(), npmStart()];
  const urls = [await urlOf(first), await urlOf(second)] as const;
  expect(new URL(urls[0]).port).not.toBe(new URL(urls[1]).port);
  for (const url of urls)
    expect((await visit(url, "/x")).text).toBe("hello /x\n");
});

test("a port as argument is what the tunnel leads to", async () => {
  const upstream = await startUpstream(hello);
  const program = npmStart(String(upstream.port));
  const url = await urlOf(program);
  expect(program.stdout).toContain(`-> localhost:${upstream.port}`);
  expect((await visit(url, "/mine")).text).toBe("hello /mine");
  expect(upstream.seen).toContain("GET /mine");
  await program.waitFor(/^GET \/mine 200 \d+ ms$/m);
});

test("what cannot be understood is said, with what can be", async () => {
  const program = npmStart("--nonsense");
  expect(await program.exited).toMatchObject({ code: 1 });
  expect(program.stderr).toContain("--nonsense");
  expect(program.stderr).toContain("--lan");
});

describe("with --lan", () => {
  const address =
    Object.values(networkInterfaces())
      .flat()
      .find((entry) => entry?.family === "IPv4" && !entry.internal)?.address ??
    "127.0.0.1";
  const dashed = address.replaceAll(".", "-");

  test("other devices get in, by name and by address", async () => {
    const program = npmStart("--lan", "--lan-address", address);
    const url = await urlOf(program);
    const { hostname, port } = new URL(url);
    expect(hostname).toBe(`demo.${dashed}.sslip.io`);
    expect((await visit(url, "/name")).text).toBe("hello /name\n");

    // As a phone would: to the address itself, which the demo has to listen on.
    const byAddress = `http://${address}:${port}`;
    expect(program.stdout).toContain(byAddress);
    const response = await fetch(`${byAddress}/address`);
    expect(await response.text()).toBe("hello /address\n");
  });

  test("a QR code of the URL is shown", async () => {
    const program = npmStart("--lan", "--lan-address", address);
    const url = await urlOf(program);
    await program.waitFor(/Ctrl-C/);
    expect(program.stdout).toContain(
      renderUnicodeCompact(url, { ecc: "L", border: 2 }),
    );
    expect(program.stdout).toContain(`From a phone in this network: ${url}`);
  });

  test("the name service can be another one", async () => {
    const program = npmStart(
      "--lan",
      "--lan-address",
      address,
      "--lan-domain",
      "names.example",
    );
    const { hostname } = new URL(await urlOf(program));
    expect(hostname).toBe(`demo.${dashed}.names.example`);
  });
});
