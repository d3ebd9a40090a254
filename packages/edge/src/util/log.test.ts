import { describe, expect, it } from "vitest";
import { createLog, type LogOptions } from "./log.ts";

function record(options: LogOptions = {}): {
  log: ReturnType<typeof createLog>;
  lines: string[];
} {
  const lines: string[] = [];
  const log = createLog({
    write: (line) => lines.push(line),
    now: () => Date.UTC(2026, 10, 22, 12, 0, 0, 5),
    ...options,
  });
  return { log, lines };
}

describe("createLog", () => {
  it("writes time, level, message and fields on one line", () => {
    const { log, lines } = record();
    log.info("listening", {
      address: "127.0.0.1:7780",
      tunnels: 3,
      none: undefined,
    });
    expect(lines).toEqual([
      "2026-11-22T12:00:00.005Z info  listening address=127.0.0.1:7780 tunnels=3\n",
    ]);
  });

  it("leaves out what is louder than its level", () => {
    const { log, lines } = record({ level: "warn" });
    log.error("a");
    log.warn("b");
    log.info("c");
    log.debug("d");
    expect(lines.map((line) => line.trim().split(/\s+/)[2])).toEqual([
      "a",
      "b",
    ]);
  });

  it("writes JSON objects in which no field replaces time, level or message", () => {
    const { log, lines } = record({ format: "json" });
    log.warn("users file rejected", {
      error: new Error("line 3"),
      message: "forged",
      count: 2n,
    });
    expect(JSON.parse(lines[0]!)).toEqual({
      time: "2026-11-22T12:00:00.005Z",
      level: "warn",
      message: "users file rejected",
      error: "line 3",
      count: "2",
    });
  });

  it.each(["text", "json"] as const)(
    "cannot be made to begin a new line or move the cursor in %s",
    (format) => {
      const { log, lines } = record({ format });
      log.info("session refused", {
        from: "a\nforged\u001b[2J\u009b2J\u202e b=c",
      });
      expect(lines[0]).toMatch(/^[\x20-\x7e]+\n$/);
      expect(lines[0]).toContain("forged\\u001b[2J\\u009b2J\\u202e");
    },
  );

  it("cuts long values", () => {
    const { log, lines } = record();
    log.info("x", { long: "y".repeat(100_000) });
    expect(lines[0]!.length).toBeLessThan(1_100);
  });
});
