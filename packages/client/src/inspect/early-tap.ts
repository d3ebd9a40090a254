// Takes what passes before the inspector is loaded, so that the first requests are not missed: loading waits until the
// URL is shown. Small on purpose; it is the one part of the inspector that every start loads.
import type { ConnectionTap } from "./tap/connection-tap.ts";

/** Opens taps that wait for the real ones. */
export interface EarlyTap<Info> {
  connect(info: Info): ConnectionTap;
  /** From now on `connect` makes the taps; those that wait are told all that has passed. */
  ready(connect: (info: Info) => ConnectionTap): void;
  /** There will be no inspector: forgets what has passed, and takes nothing more. */
  giveUp(): void;
}

// Of all connections together. What does not fit is a start under load; such a connection passes unseen.
const MAX_BYTES = 8 * 1_024 * 1_024;

const NO_TAP: ConnectionTap = {
  fromVisitor() {},
  fromUpstream() {},
  upstreamEnded() {},
  closed() {},
};

export function createEarlyTap<Info>(): EarlyTap<Info> {
  let connectReal: ((info: Info) => ConnectionTap) | undefined;
  let waiting: (() => void)[] = [];
  let bytes = 0;

  return {
    connect(info) {
      return connectReal ? connectReal(info) : wait(info);
    },
    ready(connect) {
      connectReal = connect;
      settle();
    },
    giveUp() {
      connectReal = () => NO_TAP;
      settle();
    },
  };

  function settle(): void {
    const waiters = waiting;
    waiting = [];
    bytes = 0;
    for (const resolve of waiters) resolve();
  }

  function wait(info: Info): ConnectionTap {
    let real: ConnectionTap | undefined;
    let passed: ((tap: ConnectionTap) => void)[] = [];
    waiting.push(() => {
      if (real) return;
      real = connectReal!(info);
      for (const tell of passed) tell(real);
      passed = [];
    });

    function keep(
      chunk: Buffer,
      tell: (tap: ConnectionTap, copy: Buffer) => void,
    ): void {
      bytes += chunk.length;
      if (bytes > MAX_BYTES) {
        real = NO_TAP;
        passed = [];
        return;
      }
      const copy = Buffer.from(chunk);
      passed.push((tap) => tell(tap, copy));
    }

    return {
      fromVisitor(chunk) {
        if (real) real.fromVisitor(chunk);
        else keep(chunk, (tap, copy) => tap.fromVisitor(copy));
      },
      fromUpstream(chunk) {
        if (real) real.fromUpstream(chunk);
        else keep(chunk, (tap, copy) => tap.fromUpstream(copy));
      },
      upstreamEnded() {
        if (real) real.upstreamEnded();
        else passed.push((tap) => tap.upstreamEnded());
      },
      closed(error) {
        if (real) real.closed(error);
        else passed.push((tap) => tap.closed(error));
      },
    };
  }
}
