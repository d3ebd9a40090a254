import { describe, expect, it } from "vitest";
import { createAdmission, networkOf } from "./admission.ts";

const nobody = (): void => {};

describe("the admission of strangers", () => {
  it("counts them, and each only once however often it leaves", () => {
    const admission = createAdmission(10, 10);
    const leave = admission.admit("192.0.2.1", nobody);
    admission.admit("192.0.2.2", nobody);
    expect(admission.size).toBe(2);
    leave?.();
    leave?.();
    expect(admission.size).toBe(1);
  });

  it("refuses the newest of one address and nobody else", () => {
    const admission = createAdmission(10, 2);
    const first = admission.admit("192.0.2.1", nobody);
    admission.admit("192.0.2.1", nobody);
    expect(admission.admit("192.0.2.1", nobody)).toBeUndefined();
    expect(admission.admit("192.0.2.2", nobody)).toBeDefined();
    first?.();
    expect(admission.admit("192.0.2.1", nobody)).toBeDefined();
  });

  it("evicts the oldest of all when every place is taken", () => {
    const admission = createAdmission(2, 2);
    const evicted: string[] = [];
    for (const last of [1, 2, 3, 4])
      admission.admit(`192.0.2.${last}`, () => evicted.push(`.${last}`));
    expect(evicted).toEqual([".1", ".2"]);
    expect(admission.size).toBe(2);
  });

  it("remembers nothing of those who have left", () => {
    const admission = createAdmission(5, 5);
    for (let i = 0; i < 1_000; i++)
      admission.admit(`198.51.100.${i % 250}`, nobody)?.();
    expect(admission.size).toBe(0);
    // An address that was evicted has its places again.
    for (let i = 0; i < 5; i++)
      expect(admission.admit("198.51.100.1", nobody)).toBeDefined();
  });
});

describe("the network of an address", () => {
  it.each([
    ["192.0.2.1", "192.0.2.1"],
    ["::ffff:192.0.2.1", "192.0.2.1"],
    ["::FFFF:192.0.2.1", "192.0.2.1"],
    ["2001:db8:1:2:3:4:5:6", "2001:db8:1:2"],
    ["2001:db8:1:2::1", "2001:db8:1:2"],
    ["2001:db8::1", "2001:db8:0:0"],
    ["2001:DB8::1:0:0:1", "2001:db8:0:0"],
    ["2001:0db8:0001:0002::", "2001:db8:1:2"],
    ["::1", "0:0:0:0"],
    ["fe80::1%eth0", "fe80:0:0:0"],
    ["", ""],
  ])("%j is %j", (address, network) => {
    expect(networkOf(address)).toBe(network);
  });
});
