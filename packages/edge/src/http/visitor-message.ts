// What the phases know of a visitor's request and of the answer to it, whoever reads the one and writes the other:
// Node's HTTP server, or the quick lane for plain requests (plain-lane.ts).
import type { Socket } from "node:net";

/** The head of a request. Node's IncomingMessage is one. */
export interface VisitorRequest {
  readonly method?: string | undefined;
  readonly url?: string | undefined;
  readonly httpVersion: string;
  readonly httpVersionMinor: number;
  /** Names and values in turn, as they came. */
  readonly rawHeaders: readonly string[];
  /** Whether the connection must not serve another request, because nobody knows for sure where that one would begin. */
  readonly endsConnection: boolean;
}

/** Where an answer goes. Node's ServerResponse is one, and its methods mean the same here. */
export interface VisitorResponse {
  readonly headersSent: boolean;
  /** Null while the answer before this one, on the same connection, is not out yet. */
  readonly socket: Socket | null;
  /** Whether all that was written is in the system's hands. Absent: unknown. */
  readonly keepsNothing?: boolean;
  /** Whether Date is added. */
  sendDate: boolean;
  removeHeader(name: string): void;
  writeContinue(): void;
  writeHead(status: number, headers: string[]): unknown;
  writeHead(status: number, reason: string, headers: string[]): unknown;
  flushHeaders(): void;
  /** @returns false when the next piece should wait for `drain` */
  write(chunk: Buffer): boolean;
  addTrailers(trailers: [string, string][]): void;
  end(chunk?: Buffer): unknown;
  once(event: "drain" | "finish", listener: () => void): unknown;
}
