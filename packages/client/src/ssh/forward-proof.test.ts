// Connections through a port that anybody on the server can dial.
import { duplexPair } from "node:stream";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { PROOF_BYTES } from "@expose/protocol";
import { exchangeProofs } from "./forward-proof.ts";

beforeEach(
  () => void vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] }),
);
afterEach(() => void vi.useRealTimers());

const proof = {
  ours: Buffer.alloc(PROOF_BYTES, "a"),
  theirs: Buffer.alloc(PROOF_BYTES, "b"),
};

it("whoever says nothing, or not all of the proof, is not waited for", async () => {
  const [channel, stranger] = duplexPair();
  const onProved = vi.fn();
  exchangeProofs(channel, proof, onProved);
  stranger.write(proof.theirs.subarray(1));
  await new Promise(setImmediate);
  vi.advanceTimersByTime(29_999);
  expect(channel.destroyed).toBe(false);
  vi.advanceTimersByTime(1);
  expect(channel.destroyed).toBe(true);
  expect(onProved).not.toHaveBeenCalled();
});

it("a connection that was proved may be silent for as long as it likes", async () => {
  const [channel, edge] = duplexPair();
  const proved = new Promise<void>((resolve) =>
    exchangeProofs(channel, proof, resolve),
  );
  edge.write(proof.theirs);
  await proved;
  expect(vi.getTimerCount()).toBe(0);
});

it("no timer is left of a connection that ends before", async () => {
  const [channel] = duplexPair();
  exchangeProofs(channel, proof, () => {});
  channel.destroy();
  await new Promise(setImmediate);
  expect(vi.getTimerCount()).toBe(0);
});
