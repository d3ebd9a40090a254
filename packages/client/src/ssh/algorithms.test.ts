import { describe, expect, it } from "vitest";
import { algorithmsFor } from "./algorithms.ts";

describe("what is offered", () => {
  it("begins with aes128-gcm, and with the ciphers that carry their own MAC", () => {
    expect(algorithmsFor(new Set()).cipher).toMatchObject({
      0: "aes128-gcm@openssh.com",
      1: "aes256-gcm@openssh.com",
    });
  });

  it("has no SHA-1, no CBC and no MD5 in it", () => {
    const names = Object.values(algorithmsFor(new Set(["ssh-rsa"]))).flat();
    expect(names).toContain("rsa-sha2-256");
    for (const name of names)
      expect(name).not.toMatch(/sha1|^ssh-rsa$|-cbc|md5|ssh-dss/);
  });

  it("asks for host keys of the known types first, and for the others still", () => {
    const { serverHostKey } = algorithmsFor(new Set(["ssh-rsa"]));
    const plain = algorithmsFor(new Set()).serverHostKey;
    expect(serverHostKey).toMatchObject({
      0: "rsa-sha2-512",
      1: "rsa-sha2-256",
    });
    expect([...(serverHostKey as string[])].sort()).toEqual(
      [...(plain as string[])].sort(),
    );
  });
});
