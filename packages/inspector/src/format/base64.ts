// Base64 of bytes, both ways.

/** @throws DOMException for what is not base64 */
export const fromBase64 = (text: string): Uint8Array<ArrayBuffer> =>
  Uint8Array.from(atob(text), (character) => character.charCodeAt(0));

/** Standard alphabet, with padding. */
export function toBase64(bytes: Uint8Array): string {
  let binary = "";
  // Piece by piece: a call takes only so many arguments.
  for (let at = 0; at < bytes.length; at += 0x8000)
    binary += String.fromCharCode(...bytes.subarray(at, at + 0x8000));
  return btoa(binary);
}
