import { execFileSync } from "node:child_process";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ExposeError } from "../errors.ts";
import { decideHostKey, type HostKeyRules } from "./host-key.ts";
import { readKnownHosts } from "./known-hosts.ts";
import { createSandbox, type TestKey } from "./testing/sandbox.ts";

const sandbox = createSandbox();
let key: TestKey;
let old: TestKey;
beforeAll(() => {
  key = sandbox.key("ed25519");
  old = sandbox.key("ed25519");
});
afterAll(() => sandbox.dispose());

async function decide(
  lines: string[],
  {
    rules = {},
    config = "",
  }: { rules?: Partial<HostKeyRules>; config?: string } = {},
) {
  const path = sandbox.write(sandbox.unique("known"), `${lines.join("\n")}\n`);
  const target = await sandbox.target("vps.example.com:2222", {
    knownHosts: [path],
    sshConfig: sandbox.write(sandbox.unique("config"), config),
  });
  const knownHosts = await readKnownHosts([path]);
  const decision = () =>
    decideHostKey(key.blob, target, knownHosts, {
      acceptNewHostKey: false,
      canAsk: true,
      ...rules,
    });
  return { decision, path };
}

const line = (host: string, { line: text }: TestKey): string =>
  `${host} ${text}`;

describe("a known key", () => {
  it("passes", async () => {
    const { decision } = await decide([line("[vps.example.com]:2222", key)]);
    expect(decision()).toEqual({ action: "proceed" });
  });
});

describe("a key that was never seen", () => {
  it("is asked about, with its fingerprint", async () => {
    const { decision } = await decide([]);
    expect(decision()).toMatchObject({
      action: "ask",
      question: expect.stringContaining(`ED25519 key ${key.fingerprint}`),
    });
  });

  it("is refused when nobody can be asked, with the fingerprint and both ways out", async () => {
    const { decision } = await decide([], { rules: { canAsk: false } });
    const error = caught(decision);
    expect(error.code).toBe("host-key-unknown");
    expect(error.message).toContain(key.fingerprint);
    expect(error.message).toContain("expose login vps.example.com:2222");
    expect(error.message).toContain("--accept-new-host-key");
  });

  it("is pinned without a question when the caller or ssh_config says so", async () => {
    const byCaller = await decide([], {
      rules: { canAsk: false, acceptNewHostKey: true },
      config: "StrictHostKeyChecking yes",
    });
    expect(byCaller.decision()).toEqual({ action: "pin" });
    const byConfig = await decide([], {
      rules: { canAsk: false },
      config: "StrictHostKeyChecking no",
    });
    expect(byConfig.decision()).toEqual({ action: "pin" });
  });

  it("is refused without a question under StrictHostKeyChecking yes", async () => {
    const { decision } = await decide([], {
      config: "StrictHostKeyChecking yes",
    });
    expect(caught(decision)).toMatchObject({
      code: "host-key-unknown",
      message: expect.stringContaining("StrictHostKeyChecking yes"),
    });
  });

  it("says that a certificate authority does not help", async () => {
    const { decision, path } = await decide([line("@cert-authority *", old)]);
    expect(decision()).toMatchObject({
      action: "ask",
      question: expect.stringContaining(
        `@cert-authority in ${path}:1 is not honoured`,
      ),
    });
  });
});

describe("a key that has changed", () => {
  const rules = { acceptNewHostKey: true };

  it("never passes, and the message tells both fingerprints and the place", async () => {
    const { decision, path } = await decide(
      ["# first line", line("[vps.example.com]:2222", old)],
      { rules, config: "StrictHostKeyChecking no" },
    );
    const { code, message, final } = caught(decision);
    expect(code).toBe("host-key-changed");
    expect(final).toBe(true);
    expect(message).toContain(key.fingerprint);
    expect(message).toContain(`${old.fingerprint} (${path}:2)`);
  });

  it("can be forgotten with the very command that the message names", async () => {
    const { decision, path } = await decide(
      [line("[vps.example.com]:2222", old)],
      { rules },
    );
    const command = /ssh-keygen -R .*$/.exec(caught(decision).message)![0];
    execFileSync("sh", ["-c", command], { stdio: "ignore" });
    const after = await readKnownHosts([path]);
    expect(after.check("vps.example.com", 2222, key.blob).status).toBe(
      "unknown",
    );
  });

  it("known by a wildcard is forgotten by hand, since ssh-keygen -R does not find it", async () => {
    const { decision, path } = await decide([line("[*.example.com]:*", old)], {
      rules,
    });
    const { message } = caught(decision);
    expect(message).toContain(`delete line 1 of ${path}`);
    expect(message).not.toContain("ssh-keygen");
  });
});

describe("a revoked key", () => {
  it("never passes", async () => {
    const { decision, path } = await decide(
      [line("@revoked *", key), line("[vps.example.com]:2222", key)],
      { rules: { acceptNewHostKey: true } },
    );
    expect(caught(decision)).toMatchObject({
      code: "host-key-revoked",
      message: expect.stringContaining(`${path}:1`),
    });
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
