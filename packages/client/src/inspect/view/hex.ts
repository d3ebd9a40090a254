// Bytes that are nothing else, sixteen a line, as hexdump -C shows them.
import type { BodyView } from "@expose/protocol";

export function viewHex(bytes: Buffer): BodyView {
  const shown = bytes.subarray(0, MAX_BYTES);
  const lines: string[] = [];
  for (let at = 0; at < shown.length; at += WIDTH) {
    const row = shown.subarray(at, at + WIDTH);
    const hex = Array.from(row, (byte) => byte.toString(16).padStart(2, "0"));
    const left = hex.slice(0, WIDTH / 2).join(" ");
    const right = hex.slice(WIDTH / 2).join(" ");
    const text = row.toString("latin1").replace(/[^\x20-\x7e]/g, ".");
    lines.push(
      `${at.toString(16).padStart(8, "0")}  ${left.padEnd(23)}  ${right.padEnd(23)}  |${text}|`,
    );
  }
  return {
    kind: "hex",
    text: lines.join("\n"),
    ...(shown.length < bytes.length && { truncated: true }),
  };
}

const WIDTH = 16;
const MAX_BYTES = 16 * 1024;
