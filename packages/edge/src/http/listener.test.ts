import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { useCannedUpstream, useEdge } from "./edge.fixture.ts";

// Prints how many of 1,500 connections the kernel has taken once all are, or after some seconds.
const CONNECT = `
  import { connect } from "node:net";
  let taken = 0;
  const say = () => { console.log(taken); process.exit(); };
  for (let i = 0; i < 1_500; i++) {
    const socket = connect(Number(process.argv[1]), "127.0.0.1");
    socket.on("error", () => {});
    socket.on("connect", () => { if (++taken === 1_500) say(); });
  }
  setTimeout(say, 10_000);
`;

test("a burst of connections is taken while the edge is busy with something else", async () => {
  const upstream = await useCannedUpstream("");
  const { port } = await useEdge(upstream.port);
  // This process does nothing else meanwhile, accepting connections included.
  const taken = execFileSync(
    process.execPath,
    ["--input-type=module", "-e", CONNECT, String(port)],
    { encoding: "utf8" },
  );
  expect(Number(taken)).toBe(Math.min(1_500, kernelBacklog() + 1));
});

function kernelBacklog(): number {
  try {
    return Number(readFileSync("/proc/sys/net/core/somaxconn", "utf8"));
  } catch {
    return 4_096;
  }
}
