import { expect, test } from "vitest";
import { createTraffic } from "./traffic.ts";

const MIB = 1_024 * 1_024;

function useTraffic() {
  let now = 0;
  const traffic = createTraffic(() => now);
  return {
    traffic,
    /** In chunks, evenly. */
    pass(mibPerSecond: number, seconds: number): void {
      for (let n = 0; n < mibPerSecond * seconds * 16; n++) {
        now += 1_000 / (mibPerSecond * 16);
        traffic.pass(MIB / 16);
      }
    },
    wait: (seconds: number) => void (now += seconds * 1_000),
  };
}

test("a page of 60 MiB at once is not heavy, and neither is a video without end", () => {
  const { traffic, pass } = useTraffic();
  pass(600, 0.1);
  expect(traffic.heavy).toBe(false);
  pass(30, 60);
  expect(traffic.heavy).toBe(false);
});

test("100 MiB a second are heavy after a second, until there is little for two", () => {
  const { traffic, pass, wait } = useTraffic();
  pass(100, 1);
  expect(traffic.heavy).toBe(true);
  pass(100, 60);
  wait(0.9);
  expect(traffic.heavy).toBe(true);
  wait(1.1);
  expect(traffic.heavy).toBe(false);
  pass(100, 0.3);
  expect(traffic.heavy).toBe(false);
});
