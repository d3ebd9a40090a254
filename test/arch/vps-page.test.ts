// docs/vps.md is a program that takes minutes to run (infra/vps/try.mjs); this sees to it that it does not rot in between.
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { readSteps } from "../../infra/vps/steps.mjs";
import { readUnit } from "../../infra/vps/units.mjs";
import { ROOT } from "./sources.ts";

const read = (path: string): string => readFileSync(join(ROOT, path), "utf8");
const commands = (readSteps(read("docs/vps.md")) as { commands?: string }[])
  .map((step) => step.commands ?? "")
  .join("\n");

test("every block of docs/vps.md says where it is run, or that it is untried", () => {
  expect(commands).toContain("expose ./site");
  expect(() => readSteps("```sh\nrm -rf /\n```")).toThrow("vps.md:1");
  expect(() => readSteps("```sh laptop\nls\n```")).toThrow("laptop");
});

test("every file of infra that the page installs is there, and every one there is installed", () => {
  const named = [
    ...commands.matchAll(/(?<![\w/])(?:sshd|systemd)\/[\w./-]*\w/g),
  ].map(([path]) => path);
  expect(
    named.filter((path) => !existsSync(join(ROOT, "infra", path))),
  ).toEqual([]);
  const programs = ["authorized-keys", "control-session", "session-reaper"];
  for (const program of programs) expect(named).toContain(`sshd/${program}`);
});

test("units, configuration and programs name the same paths", () => {
  const config = read("infra/sshd/sshd_config");
  expect(commands).toContain("/usr/libexec/expose");
  expect(config).toContain(
    "AuthorizedKeysCommand /usr/libexec/expose/authorized-keys",
  );
  expect(read("infra/sshd/authorized-keys")).toContain(
    "exec /usr/libexec/expose/control-session",
  );
  for (const program of [
    "authorized-keys",
    "control-session",
    "session-reaper",
  ])
    expect(read(`infra/sshd/${program}`)).toContain("/var/lib/expose/openssh");
  expect(read("infra/systemd/tmpfiles.d/expose.conf")).toContain(
    "/var/lib/expose/openssh 2710 expose tunnel",
  );
  for (const [unit, program] of [
    ["expose-edge", "expose-edge serve --config /etc/expose/edge.yaml"],
    ["expose-sshd", "-f /etc/expose/sshd_config"],
    ["expose-sshd-reaper", "/usr/libexec/expose/session-reaper"],
  ] as const)
    expect(
      readUnit(join(ROOT, `infra/systemd/${unit}.service`)).main,
    ).toContain(program);
});
