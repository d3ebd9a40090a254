// Keeps the bytes of file names outside ASCII on their way through Node's HTTP server.

/**
 * Moves a Content-Length behind every Content-Disposition whose value is not ASCII. Node re-encodes one that follows a
 * Content-Length, and so changes its bytes or throws (_http_outgoing.js, processHeader). Nothing else moves.
 *
 * @param headers names and values in turn, changed in place
 */
export function saveDisposition(headers: string[]): void {
  let length = -1;
  let disposition = -1;
  for (let i = 0; i < headers.length; i += 2) {
    const lower = headers[i]!.toLowerCase();
    if (lower === "content-length") length = i;
    else if (lower === "content-disposition" && !isAscii(headers[i + 1]!))
      disposition = i;
  }
  if (length < 0 || disposition < length) return;
  const moved = headers.splice(length, 2);
  // Two fields fewer stand before it now, and it goes behind the value.
  headers.splice(disposition, 0, ...moved);
}

const isAscii = (text: string): boolean => /^[\0-\x7f]*$/.test(text);
