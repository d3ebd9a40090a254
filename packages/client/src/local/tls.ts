// TLS to the local service: verified by default, HTTP/1.1 only.
import net from "node:net";
import tls from "node:tls";
import type { UpstreamSpec } from "@expose/protocol";
import { asError, swapErrorListener } from "./socket.ts";

/** The certificate is not to be trusted; `code` is OpenSSL's name of the reason. */
export class CertificateError extends Error {
  override name = "CertificateError";
  readonly code: string;

  constructor(code: string, options?: ErrorOptions) {
    super(`The certificate cannot be verified: ${code}.`, options);
    this.code = code;
  }
}

/**
 * Puts TLS on the connections that `connect` opens.
 *
 * @param ca PEM text of authorities that count in addition to Node's own
 * @throws CertificateError when the certificate is not to be trusted and `verify` is on
 */
export function createTlsDialer(
  spec: Extract<UpstreamSpec, { kind: "tls" }>,
  ca: string | undefined,
  connect: (signal: AbortSignal) => Promise<net.Socket>,
): (signal: AbortSignal) => Promise<tls.TLSSocket> {
  // Made once: reading Node's 140 authorities takes milliseconds. A list of one's own replaces Node's, hence both.
  const secureContext = tls.createSecureContext(
    ca === undefined ? {} : { ca: [...tls.rootCertificates, ca] },
  );
  const options: tls.ConnectionOptions = {
    host: spec.host,
    secureContext,
    rejectUnauthorized: spec.verify,
    // The edge speaks nothing else; a server that would choose h2 must not be asked.
    ALPNProtocols: ["http/1.1"],
    // RFC 6066 section 3: no addresses in SNI.
    ...(net.isIP(spec.host) === 0 && { servername: spec.host }),
  };
  return async (signal) => secure(await connect(signal), options, signal);
}

function secure(
  raw: net.Socket,
  options: tls.ConnectionOptions,
  signal: AbortSignal,
): Promise<tls.TLSSocket> {
  return new Promise((resolve, reject) => {
    const socket = tls.connect({ ...options, socket: raw });
    const onAbort = (): void => void socket.destroy(asError(signal.reason));
    signal.addEventListener("abort", onAbort, { once: true });
    if (signal.aborted) onAbort();
    const onError = (error: Error): void => {
      signal.removeEventListener("abort", onAbort);
      // Typed as an error, and in truth the code alone.
      const refused = socket.authorizationError as unknown;
      reject(
        typeof refused === "string"
          ? new CertificateError(refused, { cause: error })
          : error,
      );
    };
    // Nobody may wait for ever, whatever ends the connection without an error.
    const onClose = (): void => {
      signal.removeEventListener("abort", onAbort);
      reject(new Error("The connection closed in the TLS handshake."));
    };
    socket.on("error", onError);
    socket.once("close", onClose);
    socket.once("secureConnect", () => {
      signal.removeEventListener("abort", onAbort);
      socket.off("close", onClose);
      swapErrorListener(socket, onError);
      resolve(socket);
    });
  });
}
