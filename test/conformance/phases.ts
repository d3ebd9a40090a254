// How far a request can have come when somebody goes, and what its visitor is told then.
import type { Script } from "./stage.ts";

export const HEAD_END = "\r\n\r\n";
export const TEN = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n";
export const CHUNKED = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
export const UNTIL_CLOSE = "HTTP/1.1 200 OK\r\n\r\n";
const SWITCH =
  "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
const UPGRADE = [
  "Connection: Upgrade",
  "Upgrade: websocket",
  "Sec-WebSocket-Version: 13",
  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
];

/** Answers nothing. */
export const waits: Script = (up) => up.until(HEAD_END);
/** Answers with this. */
export const says =
  (text: string): Script =>
  async (up) => {
    await up.until(HEAD_END);
    up.write(text);
  };

/** How far a request has come. */
export interface Phase {
  readonly phase: string;
  readonly method: "GET" | "POST";
  /** Header lines, and what follows the head at first. */
  readonly lines?: readonly string[];
  readonly body?: string;
  readonly upstream: Script;
  /** What each side has to have seen before somebody goes. */
  readonly arrived?: string;
  readonly answered?: string;
  /** What the visitor is told when the upstream goes. */
  readonly broken: string;
  /** What when the client does, where that is something else; `{token}` is the request's own. */
  readonly lost?: string;
  /** What else then through a stock sshd, which ends a connection that is done and one that is cut in the same way. */
  readonly lostThroughSshd?: string;
}

const LENGTH_10 = ["Content-Length: 10"];

/** From the end of the head to that of the answer, as all three sides can see it. */
export const phases: readonly Phase[] = [
  {
    phase: "before the first byte of the body",
    method: "POST",
    lines: LENGTH_10,
    upstream: waits,
    arrived: HEAD_END,
    broken: "502 upstream-down",
    lost: "502 forward-failed",
  },
  {
    phase: "in a body with a length",
    method: "POST",
    lines: LENGTH_10,
    body: "12345",
    upstream: waits,
    arrived: "12345",
    broken: "502 upstream-down",
    lost: "502 forward-failed",
  },
  {
    phase: "in a body in chunks",
    method: "POST",
    lines: ["Transfer-Encoding: chunked"],
    body: "5\r\n12345\r\n",
    upstream: waits,
    arrived: "12345",
    broken: "502 upstream-down",
    lost: "502 forward-failed",
  },
  {
    phase: "while 100 Continue is waited for",
    method: "POST",
    lines: [...LENGTH_10, "Expect: 100-continue"],
    upstream: waits,
    arrived: HEAD_END,
    broken: "502 upstream-down",
    lost: "502 forward-failed",
  },
  {
    phase: "behind 100 Continue",
    method: "POST",
    lines: [...LENGTH_10, "Expect: 100-continue"],
    upstream: says("HTTP/1.1 100 Continue\r\n\r\n"),
    arrived: HEAD_END,
    answered: "100 Continue\r\n\r\n",
    broken: "100, 502 upstream-closed",
  },
  {
    phase: "while the answer to a GET is waited for",
    method: "GET",
    upstream: waits,
    arrived: HEAD_END,
    broken: "502 upstream-down",
    lost: '200 "{token}"',
  },
  {
    phase: "while the answer to a POST is waited for",
    method: "POST",
    lines: LENGTH_10,
    body: "1234567890",
    upstream: waits,
    arrived: "1234567890",
    broken: "502 upstream-down",
    lost: "502 forward-failed",
  },
  {
    phase: "behind 103 Early Hints",
    method: "GET",
    upstream: says("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"),
    arrived: HEAD_END,
    answered: "Link: </a>\r\n\r\n",
    broken: "103, 502 upstream-closed",
  },
  {
    phase: "in an answer that comes before the body has gone",
    method: "POST",
    lines: LENGTH_10,
    body: "12345",
    upstream: says(`${TEN}hello`),
    arrived: "12345",
    answered: "hello",
    broken: "200 torn",
  },
  {
    phase: "behind the answer's head",
    method: "GET",
    upstream: says(TEN),
    arrived: HEAD_END,
    answered: HEAD_END,
    broken: "200 torn",
  },
  {
    phase: "in an answer with a length",
    method: "GET",
    upstream: says(`${TEN}hello`),
    arrived: HEAD_END,
    answered: "hello",
    broken: "200 torn",
  },
  {
    phase: "in a chunk of an answer",
    method: "GET",
    upstream: says(`${CHUNKED}a\r\nhello`),
    arrived: HEAD_END,
    answered: "hello",
    broken: "200 torn",
  },
  {
    phase: "between two chunks of an answer",
    method: "GET",
    upstream: says(`${CHUNKED}5\r\nhello\r\n`),
    arrived: HEAD_END,
    answered: "hello",
    broken: "200 torn",
  },
  {
    phase: "before the last line end of an answer in chunks",
    method: "GET",
    upstream: says(`${CHUNKED}5\r\nhello\r\n0\r\nX-Sum: 1\r\n`),
    arrived: HEAD_END,
    answered: "hello",
    broken: "200 torn",
  },
  {
    phase: "in the first line of an answer",
    method: "POST",
    lines: LENGTH_10,
    body: "1234567890",
    upstream: says("HTTP/1.1 20"),
    arrived: "1234567890",
    broken: "502 upstream-closed",
  },
  {
    phase: "in the head of an answer",
    method: "GET",
    upstream: says("HTTP/1.1 200 OK\r\nContent-Len"),
    arrived: HEAD_END,
    broken: "502 upstream-closed",
  },
  {
    phase: "before an upgrade is answered",
    method: "GET",
    lines: UPGRADE,
    upstream: waits,
    arrived: HEAD_END,
    broken: "502 upstream-down",
    lost: "502 forward-failed",
    // http-proxy lets go of the visitor at once.
    lostThroughSshd: "502 upstream-down",
  },
];

/** Answers that end with their connection. */
export const untilClose: Phase = {
  phase: "in an answer that ends with its connection",
  method: "GET",
  upstream: says(`${UNTIL_CLOSE}hello`),
  arrived: HEAD_END,
  answered: "hello",
  broken: '200 "hello"',
  lost: "200 torn",
  lostThroughSshd: '200 "hello"',
};

export const webSocket: Phase = {
  phase: "in a WebSocket",
  method: "GET",
  lines: UPGRADE,
  upstream: says(SWITCH),
  arrived: HEAD_END,
  answered: HEAD_END,
  broken: "101",
};
