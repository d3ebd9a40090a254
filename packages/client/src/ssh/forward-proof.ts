// The proofs that a forwarded connection opens with where anybody on the server could have made it.
// docs/decisions/0004-proofs-both-ways.md says why.
import { timingSafeEqual } from "node:crypto";
import type { Duplex } from "node:stream";
import { PROOF_BYTES, type EdgeMessage } from "@expose/protocol";

/** What each end proves itself with. */
export interface ForwardProof {
  readonly ours: Buffer;
  readonly theirs: Buffer;
}

/** @returns undefined when the edge asks for none */
export const readForwardProof = ({
  proof,
}: EdgeMessage & { t: "welcome" }): ForwardProof | undefined =>
  proof && {
    ours: Buffer.from(proof.client, "latin1"),
    theirs: Buffer.from(proof.edge, "latin1"),
  };

// The edge says its proof as soon as it has ours. Anybody else on the server may connect too, and keep us waiting.
const PROOF_MS = 30_000;

/**
 * Proves us to whoever made the connection, and hands it on once they have proved to be the edge; else ends it.
 * It has 30 seconds for that.
 *
 * @param onProved gets the connection with nothing of the proof left in it
 */
export function exchangeProofs(
  channel: Duplex,
  { ours, theirs }: ForwardProof,
  onProved: () => void,
): void {
  // We prove ourselves at once (the edge sends nothing before), and hear the edge's proof with its first request:
  // whoever else finds the port on the server gets no byte of the local service.
  channel.write(ours);
  let got = Buffer.alloc(0);
  const drop = (): void => void channel.destroy();
  const timer = setTimeout(drop, PROOF_MS);
  timer.unref();
  const stopTimer = (): void => clearTimeout(timer);
  channel.once("close", stopTimer);
  channel.on("error", drop);
  channel.on("end", drop);
  channel.on("data", read);
  // A channel that was paused before stays so when it only gets a listener.
  channel.resume();

  function read(chunk: Buffer): void {
    got = Buffer.concat([got, chunk]);
    if (got.length < PROOF_BYTES) return;
    channel.pause();
    stopTimer();
    channel.off("close", stopTimer);
    channel.off("data", read);
    channel.off("end", drop);
    if (!timingSafeEqual(got.subarray(0, PROOF_BYTES), theirs)) return drop();
    if (got.length > PROOF_BYTES) channel.unshift(got.subarray(PROOF_BYTES));
    onProved();
    channel.off("error", drop);
    channel.resume();
  }
}
