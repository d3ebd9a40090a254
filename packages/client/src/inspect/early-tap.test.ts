// What passes before the inspector is loaded.
import { expect, test } from "vitest";
import { createEarlyTap } from "./early-tap.ts";
import type { ConnectionTap } from "./tap/connection-tap.ts";

function record() {
  const said: string[] = [];
  const connect = (name: string): ConnectionTap => ({
    fromVisitor: (chunk) => void said.push(`${name} > ${String(chunk)}`),
    fromUpstream: (chunk) => void said.push(`${name} < ${String(chunk)}`),
    upstreamEnded: () => void said.push(`${name} ended`),
    closed: (error) => void said.push(`${name} closed ${error?.message}`),
  });
  return { said, connect };
}

test("is told in its order once somebody listens, and what comes then follows", () => {
  const early = createEarlyTap<string>();
  const { said, connect } = record();
  const a = early.connect("a");
  const chunk = Buffer.from("1");
  a.fromVisitor(chunk);
  // The stream's buffer is the stream's.
  chunk.fill("x");
  const b = early.connect("b");
  b.fromVisitor(Buffer.from("2"));
  a.fromUpstream(Buffer.from("3"));
  a.upstreamEnded();
  a.closed(new Error("cut"));
  expect(said).toEqual([]);
  early.ready(connect);
  b.fromUpstream(Buffer.from("4"));
  early.connect("c").fromVisitor(Buffer.from("5"));
  expect(said).toEqual([
    "a > 1",
    "a < 3",
    "a ended",
    "a closed cut",
    "b > 2",
    "b < 4",
    "c > 5",
  ]);
});

test("is forgotten where it is too much, or nobody will listen", () => {
  const early = createEarlyTap<string>();
  const { said, connect } = record();
  const a = early.connect("a");
  for (let i = 0; i < 9; i++) a.fromVisitor(Buffer.alloc(1_024 * 1_024));
  const b = early.connect("b");
  b.fromVisitor(Buffer.from("1"));
  early.ready(connect);
  a.closed();
  expect(said).toEqual([]);
  const none = createEarlyTap<string>();
  const c = none.connect("c");
  c.fromVisitor(Buffer.from("1"));
  none.giveUp();
  c.closed();
  none.connect("d").closed();
});
