import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import {
  existsSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import {
  createAccessLog,
  type AccessLog,
  type AccessLogOptions,
} from "./access-log.ts";
import { recordOf } from "./record.fixture.ts";
import { createFileSink, createStreamSink, type Sink } from "./sink.ts";

describe("the access log", () => {
  it("writes one line for each request, in order, to a file that the group may read", async () => {
    const { log, file } = useFileLog();
    for (let i = 0; i < 1_000; i++) log.observe!(recordOf({ target: `/${i}` }));
    await log.close();
    expect(targetsIn(file)).toEqual(
      Array.from({ length: 1_000 }, (_, i) => `/${i}`),
    );
    expect(log.counters).toEqual({
      written: 1_000,
      dropped: 0,
      writeErrors: 0,
    });
    expect(statSync(file).mode & 0o007).toBe(0);
  });

  it("writes soon, without waiting for more requests or for the end", async () => {
    const { log, sink } = useGatedLog();
    log.observe!(recordOf());
    await sink.next();
    expect(log.counters.written).toBe(0);
    sink.finish();
    expect(log.counters.written).toBe(1);
  });

  it("does no work where requests are served", () => {
    const { log } = useGatedLog();
    const plain = recordOf();
    const looked = new Set<string>();
    let serving = true;
    const record = new Proxy(plain, {
      get(target, key: keyof typeof plain) {
        if (serving) looked.add(key);
        return target[key];
      },
    });
    log.observe!(record);
    serving = false;
    // Enough to know how much memory it holds.
    expect([...looked].sort()).toEqual(["rawHeaders", "target"]);
  });

  it("has nothing to observe when it is off, and still formats targets", () => {
    const log = createAccessLog({
      ...defaults,
      format: "off",
      file: "/nowhere/x",
    });
    expect(log.observe).toBeUndefined();
    expect(log.formatTarget("/?token=x")).toBe("/?token=[redacted]");
  });

  it("begins a new file after the old one was renamed, and loses no line", async () => {
    const { log, file } = useFileLog();
    log.observe!(recordOf({ target: "/old" }));
    await vi.waitFor(() => expect(log.counters.written).toBe(1));
    renameSync(file, `${file}.1`);
    for (let i = 0; i < 500; i++) log.observe!(recordOf({ target: `/${i}` }));
    log.reopen();
    log.observe!(recordOf({ target: "/new" }));
    await log.close();
    const all = [...targetsIn(`${file}.1`), ...targetsIn(file)];
    expect(all).toHaveLength(502);
    expect(targetsIn(file).at(-1)).toBe("/new");
  });

  it("keeps the old file when the new one cannot be opened, and says so", async () => {
    const { log, file, folder, warnings } = useFileLog();
    renameSync(folder, `${folder}.moved`);
    onTestFinished(() =>
      rmSync(`${folder}.moved`, { recursive: true, force: true }),
    );
    log.reopen();
    log.observe!(recordOf());
    await log.close();
    expect(warnings[0]).toMatch(/^access log not reopened/);
    expect(targetsIn(file.replace(folder, `${folder}.moved`))).toHaveLength(1);
  });

  it("is refused when its file cannot be opened", () => {
    expect(() =>
      createAccessLog({ ...defaults, file: "/nowhere/access.log" }),
    ).toThrow(
      expect.objectContaining({ code: "log-unwritable", exitStatus: 8 }),
    );
  });
});

describe("when nobody reads", () => {
  it("drops records beyond its bound, counts them and says so once a minute", async () => {
    let clock = 0;
    const { log, sink, warnings } = useGatedLog({ now: () => clock });
    log.observe!(recordOf());
    await sink.next();
    for (let i = 0; i < 15_000; i++) log.observe!(recordOf());
    expect(log.counters.dropped).toBe(5_000);
    expect(warnings).toHaveLength(1);
    clock += 60_000;
    log.observe!(recordOf());
    expect(warnings).toHaveLength(2);
  });

  it("holds no more than a bounded number of bytes of hostile requests", async () => {
    const { log, sink } = useGatedLog();
    log.observe!(recordOf());
    await sink.next();
    const huge = recordOf({ rawHeaders: ["x", "y".repeat(32 * 1024)] });
    for (let i = 0; i < 5_000; i++) log.observe!(huge);
    expect(5_000 - log.counters.dropped).toBeLessThan((16 * 1024) / 32 + 1);
  });

  it("goes on when the reader of the pipe goes away", async () => {
    const reader = spawn("sleep", ["1000"], {
      stdio: ["pipe", "ignore", "ignore"],
    });
    onTestFinished(() => void reader.kill("SIGKILL"));
    const { log, warnings } = useLog({ sink: createStreamSink(reader.stdin) });
    log.observe!(recordOf());
    await vi.waitFor(() => expect(log.counters.written).toBe(1));
    reader.kill("SIGKILL");
    await once(reader, "exit");
    log.observe!(recordOf());
    await vi.waitFor(() => expect(log.counters.dropped).toBe(1));
    log.observe!(recordOf());
    expect(log.counters).toEqual({ written: 1, dropped: 2, writeErrors: 1 });
    expect(warnings).toHaveLength(1);
    await log.close();
  });

  it("ends although the reader of the pipe never reads", async () => {
    const reader = spawn("sleep", ["1000"], {
      stdio: ["pipe", "ignore", "ignore"],
    });
    onTestFinished(() => void reader.kill("SIGKILL"));
    const { log } = useLog({ sink: createStreamSink(reader.stdin) });
    for (let i = 0; i < 5_000; i++) log.observe!(recordOf());
    const started = performance.now();
    await log.close();
    expect(performance.now() - started).toBeLessThan(2_000);
    const { written, dropped } = log.counters;
    expect(dropped).toBeGreaterThan(0);
    expect(written + dropped).toBe(5_000);
  });
});

// Root mounts a small disk; without root there is /dev/full, which has no room ever.
describe("when the disk is full", () => {
  it.runIf(process.getuid?.() === 0)(
    "goes on, counts, tells once, and writes what waited when there is room again",
    async () => {
      const disk = useSmallDisk();
      const ballast = join(disk, "ballast");
      const file = join(disk, "access.log");
      const { log, warnings } = useLog({ sink: createFileSink(file) });
      writeFileSync(ballast, Buffer.alloc(1_000 * 1_024));
      for (let i = 0; i < 500; i++) log.observe!(recordOf({ target: `/${i}` }));
      await vi.waitFor(() =>
        expect(log.counters.writeErrors).toBeGreaterThan(0),
      );
      expect(warnings[0]).toMatch(/ENOSPC/);
      expect(log.counters.dropped).toBe(0);

      rmSync(ballast);
      await vi.waitFor(() => expect(log.counters.written).toBe(500), {
        timeout: 4_000,
      });
      // Each line is whole, although the disk was full in the middle of one.
      expect(targetsIn(file)).toEqual(
        Array.from({ length: 500 }, (_, i) => `/${i}`),
      );
      expect(warnings).toHaveLength(1);
      await log.close();
    },
  );

  it("does not carry the rest of a torn line into a new file", async () => {
    const { log, sink } = useGatedLog();
    for (let i = 0; i < 3; i++) log.observe!(recordOf({ target: `/${i}` }));
    const first = await sink.next();
    sink.finish(first.length - 10);
    const rest = await sink.next();
    expect(rest).toHaveLength(10);
    log.reopen();
    sink.finish(0);
    log.observe!(recordOf({ target: "/new" }));
    const next = await sink.next();
    expect(next.toString()).toMatch(/^\{.*\/new/);
    sink.finish();
    expect(log.counters).toMatchObject({ dropped: 1 });
  });

  it("goes on writing nowhere for ever", async () => {
    expect(existsSync("/dev/full")).toBe(true);
    const { log } = useLog({ sink: createFileSink("/dev/full") });
    log.observe!(recordOf());
    await vi.waitFor(() => expect(log.counters.writeErrors).toBe(1));
    await log.close();
    expect(log.counters).toMatchObject({ written: 0, dropped: 1 });
  });
});

const defaults: AccessLogOptions = {
  format: "json",
  file: "-",
  headers: "redacted",
  redact: [],
  keep: [],
  valueLength: 512,
  headersLength: 8 * 1024,
  log: { warn() {} },
};

function useLog(options: Partial<AccessLogOptions>): {
  log: AccessLog;
  warnings: string[];
} {
  const warnings: string[] = [];
  const log = createAccessLog({
    ...defaults,
    log: {
      warn: (message, fields = {}) =>
        void warnings.push(
          [message, ...Object.values(fields).map(String)].join(" "),
        ),
    },
    ...options,
  });
  onTestFinished(() => log.close());
  return { log, warnings };
}

function useFileLog() {
  const folder = mkdtempSync(join(tmpdir(), "edge-access-log-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, "access.log");
  return { ...useLog({ file }), file, folder };
}

/** A log whose writes end when the test says so. */
function useGatedLog(options: Partial<AccessLogOptions> = {}) {
  let current:
    | { bytes: Buffer; done: (written: number, error?: Error) => void }
    | undefined;
  let wake: (() => void) | undefined;
  let released = false;
  const sink: Sink = {
    write(bytes, done) {
      if (released) return void setImmediate(done, bytes.length);
      current = { bytes, done };
      wake?.();
    },
    reopen: () => undefined,
    close() {},
  };
  const log = useLog({ sink, ...options });
  // Before the log is closed, which would wait for the write.
  onTestFinished(() => {
    released = true;
    current?.done(current.bytes.length);
  });
  return {
    ...log,
    sink: {
      /** The next write, as soon as it has begun. */
      async next(): Promise<Buffer> {
        while (!current) await new Promise<void>((resolve) => (wake = resolve));
        return current.bytes;
      },
      finish(written = current!.bytes.length): void {
        const { done } = current!;
        current = undefined;
        done(written);
      },
    },
  };
}

function useSmallDisk(): string {
  const folder = mkdtempSync(join(tmpdir(), "edge-full-disk-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  execFileSync("mount", ["-t", "tmpfs", "-o", "size=1m", "tmpfs", folder]);
  onTestFinished(() => void execFileSync("umount", [folder]));
  return folder;
}

const targetsIn = (file: string): string[] =>
  readFileSync(file, "utf8")
    .trim()
    .split("\n")
    .map((line) => {
      const { url } = JSON.parse(line) as { url: string };
      return url.slice(url.indexOf("/"));
    });
