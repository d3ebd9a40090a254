// QR codes for phones, and the question whether a URL is of any use on one.
import { encode } from "uqr";

/**
 * Draws `text` as a QR code in half blocks, one string a line.
 *
 * @param colours true: dark on light whatever the terminal's colours are, as scanners want it. false: light parts are
 *   drawn and dark ones left blank, which is right on a dark background only; most scanners take the reverse as well
 */
export function renderQr(text: string, colours: boolean): string[] {
  // Low error correction: a screen has no scratches, and fewer modules are easier to scan and fit into 80x24.
  const { data } = encode(text, { ecc: "L", border: 2 });
  const lines: string[] = [];
  for (let y = 0; y < data.length; y += 2) {
    const upper = data[y]!;
    // A light last half row where there is an odd number of rows: it belongs to the quiet zone.
    const lower = data[y + 1] ?? upper.map(() => false);
    const line = upper.map((dark, x) => halfBlock(dark, lower[x]!)).join("");
    lines.push(colours ? `\x1b[38;5;231;48;5;16m${line}\x1b[0m` : line);
  }
  return lines;
}

/**
 * Says why a QR code of `url` would help nobody, in a sentence; undefined when another device can open it.
 * Names under `localhost` never leave the machine (RFC 6761 section 6.3).
 */
export function explainUselessQr(url: string): string | undefined {
  const host = new URL(url).hostname.replace(/\.$/, "");
  const local =
    host === "localhost" ||
    host.endsWith(".localhost") ||
    /^127(\.\d+){3}$/.test(host) ||
    host === "[::1]" ||
    host === "0.0.0.0" ||
    host === "[::]";
  return local
    ? `No QR code: ${host} means the device itself everywhere, so another device cannot open this URL.`
    : undefined;
}

function halfBlock(upperDark: boolean, lowerDark: boolean): string {
  if (upperDark) return lowerDark ? " " : "▄";
  return lowerDark ? "▀" : "█";
}
