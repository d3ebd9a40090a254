import { EventEmitter } from "node:events";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { watchSignals } from "./signals.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function watch() {
  const source = Object.assign(new EventEmitter(), {
    stdout: new EventEmitter(),
    stderr: new EventEmitter(),
  });
  const exits: number[] = [];
  return {
    source,
    exits,
    signals: watchSignals(source, (status) => exits.push(status)),
  };
}

test.each(["SIGINT", "SIGTERM", "SIGHUP"])(
  "the first %s asks for a graceful end",
  (name) => {
    const { source, exits, signals } = watch();
    source.emit(name, name);
    expect(signals.signal.reason).toMatchObject({
      name: "AbortError",
      signal: name,
    });
    expect(exits).toEqual([]);
  },
);

test("the second signal ends at once, with the status of a process that died of it", () => {
  const { source, exits } = watch();
  source.emit("SIGINT", "SIGINT");
  source.emit("SIGTERM", "SIGTERM");
  expect(exits).toEqual([143]);
});

test("a graceful end has one second", () => {
  const { source, exits } = watch();
  source.emit("SIGINT", "SIGINT");
  vi.advanceTimersByTime(999);
  expect(exits).toEqual([]);
  vi.advanceTimersByTime(1);
  expect(exits).toEqual([130]);
});

test("a command that waits for another one's end may take its time", () => {
  const { source, exits, signals } = watch();
  signals.allowTime();
  source.emit("SIGINT", "SIGINT");
  vi.advanceTimersByTime(60_000);
  expect(signals.signal.aborted).toBe(true);
  expect(exits).toEqual([]);
  source.emit("SIGINT", "SIGINT");
  expect(exits).toEqual([130]);
});

test("a broken pipe on stdout asks for a graceful end once; one on stderr does nothing", () => {
  const { source, exits, signals } = watch();
  source.stderr.emit("error", new Error("EPIPE"));
  expect(signals.signal.aborted).toBe(false);
  source.stdout.emit("error", new Error("EPIPE"));
  source.stdout.emit("error", new Error("EPIPE"));
  expect(signals.signal.aborted).toBe(true);
  expect(exits).toEqual([]);
});

test("a broken pipe ends a command at once that passes signals on", () => {
  const { source, exits, signals } = watch();
  signals.allowTime();
  source.stdout.emit("error", new Error("EPIPE"));
  expect(exits).toEqual([141]);
});

test("nothing is left behind", () => {
  const { source, exits, signals } = watch();
  source.emit("SIGINT", "SIGINT");
  signals.dispose();
  vi.advanceTimersByTime(10_000);
  expect(exits).toEqual([]);
  expect(source.eventNames()).toEqual([]);
  expect(source.stdout.eventNames()).toEqual([]);
  expect(source.stderr.eventNames()).toEqual([]);
});
