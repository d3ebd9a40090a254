// Bytes as a hex dump, sixteen a line.

const LINE_BYTES = 16;

/** Offset, bytes in hexadecimal, and those that are printable ASCII. */
export function formatHex(bytes: Uint8Array): string {
  const lines: string[] = [];
  for (let at = 0; at < bytes.length; at += LINE_BYTES) {
    const line = [...bytes.subarray(at, at + LINE_BYTES)];
    const hex = line.map((byte) => byte.toString(16).padStart(2, "0"));
    const left = hex.slice(0, 8).join(" ").padEnd(23);
    const right = hex.slice(8).join(" ").padEnd(23);
    const text = line
      .map((byte) =>
        byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : "·",
      )
      .join("");
    lines.push(
      `${at.toString(16).padStart(6, "0")}  ${left}  ${right}  ${text}`,
    );
  }
  return lines.join("\n");
}
