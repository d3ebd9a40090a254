// The facts about one finished request. http/ makes it; the access log, the metrics and the owner's live log read it.
import type { VisitorErrorCode } from "@expose/protocol";

/** One finished request, upgraded connections included. Times are milliseconds, `undefined` where never reached. */
export interface RequestRecord {
  /** When the head had been read, milliseconds since 1970. */
  readonly startedAt: number;
  readonly tunnel: string | undefined;
  readonly identity: string | undefined;
  readonly visitor: string;
  readonly method: string;
  /** The request target as it came, unescaped and unredacted: readers take care of both. */
  readonly target: string;
  readonly host: string;
  readonly httpVersion: string;
  /** Names and values in turn, as they came, unredacted. */
  readonly rawHeaders: readonly string[];
  /** 0 when the visitor was gone before an answer began. */
  readonly status: number;
  /** Set when the edge itself made the answer or cut it off. */
  readonly error: VisitorErrorCode | undefined;
  readonly upgraded: boolean;
  /** Since `startedAt`: route found, connection there, first byte of the response, end of the response. */
  readonly routeMs: number;
  readonly connectMs: number | undefined;
  readonly firstByteMs: number | undefined;
  readonly totalMs: number;
  /** Body bytes from and to the visitor. */
  readonly bytesIn: number;
  readonly bytesOut: number;
  /** Whether a second try on another connection was needed. */
  readonly retried: boolean;
}

/** Hears of each finished request. Must return at once and must not throw. */
export type RequestObserver = (record: RequestRecord) => void;
