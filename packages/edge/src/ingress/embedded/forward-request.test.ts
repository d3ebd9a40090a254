import { describe, expect, it } from "vitest";
import { readForwardRequest } from "./forward-request.ts";

describe("a forward request", () => {
  it.each([
    ["127.0.0.1", 0, { kind: "control" }],
    ["localhost", 0, { kind: "plain", name: undefined }],
    ["", 80, { kind: "plain", name: undefined }],
    ["*", 80, { kind: "plain", name: undefined }],
    ["0.0.0.0", 443, { kind: "plain", name: undefined }],
    ["::", 80, { kind: "plain", name: undefined }],
    ["::1", 80, { kind: "plain", name: undefined }],
    ["127.0.0.1", 80, { kind: "plain", name: undefined }],
    ["shop", 80, { kind: "plain", name: "shop" }],
    ["shop", 0, { kind: "plain", name: "shop" }],
    // Whether a name is fit for use is not for the ingress to say.
    ["Shop.Example", 80, { kind: "plain", name: "Shop.Example" }],
  ])("for %j port %i is read as %o", (address, port, expected) => {
    expect(readForwardRequest(address, port)).toEqual(expected);
  });

  it.each([
    ["shop", 22, /Port 22 .* -R 80:localhost:PORT/],
    ["127.0.0.1", 5432, /Port 5432/],
    ["", 65_536, /Port 65536/],
    ["x".repeat(254), 80, /too long/],
  ])("for %j port %i is refused", (address, port, reason) => {
    const request = readForwardRequest(address, port);
    expect(request).toMatchObject({
      kind: "refused",
      reason: expect.stringMatching(reason),
    });
  });
});
