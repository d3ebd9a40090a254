import { describe, expect, it } from "vitest";
import { ExposeError } from "../errors.ts";
import { formatHostPort, parseServerAddress } from "./server-address.ts";

describe("a server address", () => {
  it.each([
    ["vps", "vps", undefined, undefined],
    ["me@vps.example.com", "vps.example.com", "me", undefined],
    ["me@vps:2222", "vps", "me", 2222],
    ["me@corp@vps", "vps", "me@corp", undefined],
    ["ssh://me@vps:2222", "vps", "me", 2222],
    ["SSH://vps/", "vps", undefined, undefined],
    ["[::1]:22", "::1", undefined, 22],
    ["me@[2001:db8::1]", "2001:db8::1", "me", undefined],
    ["2001:db8::1", "2001:db8::1", undefined, undefined],
    ["fe80::1%eth0", "fe80::1%eth0", undefined, undefined],
  ])("is read: %s", (text, host, user, port) => {
    expect(parseServerAddress(text)).toEqual({ host, user, port });
  });

  it.each([
    ["", "the host is missing"],
    ["me@", "the host is missing"],
    ["@vps", "the user name"],
    ["vps:0", '"0" is no port'],
    ["vps:65536", '"65536" is no port'],
    ["vps:http", '"http" is no port'],
    ["vps:", '"" is no port'],
    ["vps: 22", '" 22" is no port'],
    ["-oProxyCommand=x", "hyphen"],
    ["-x@vps", "the user name"],
    ["v ps", "no host name"],
    ["vps\n", "no host name"],
    ["http://vps", "no port"],
    ["[::1", "no host name"],
  ])("is refused with a reason: %j", (text, reason) => {
    const error = caught(() => parseServerAddress(text));
    expect(error.code).toBe("usage-invalid");
    expect(error.message).toContain(reason);
  });

  it("never repeats a password that was put into it", () => {
    const { message } = caught(() =>
      parseServerAddress("ssh://me:hunter2@vps"),
    );
    expect(message).toContain("passwords are not used");
    expect(message).not.toContain("hunter2");
  });

  it("is written with brackets only where a port follows an IPv6 address", () => {
    expect(formatHostPort("vps", 22)).toBe("vps");
    expect(formatHostPort("vps", 2222)).toBe("vps:2222");
    expect(formatHostPort("::1", 22)).toBe("::1");
    expect(formatHostPort("::1", 2222)).toBe("[::1]:2222");
  });
});

function caught(run: () => unknown): ExposeError {
  try {
    run();
  } catch (error) {
    if (error instanceof ExposeError) return error;
  }
  throw new Error("nothing was refused");
}
