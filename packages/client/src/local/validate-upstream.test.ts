// What is found out before a tunnel is opened.
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { ExposeError } from "../errors.ts";
import { freePort, openssl, useFolder, useServer } from "./use-servers.ts";
import { probeUpstream, validateUpstream } from "./validate-upstream.ts";

const https = (verify = true) =>
  ({ kind: "tls", host: "localhost", port: 8443, verify }) as const;

test("services that may be started later are fine", async () => {
  const port = await freePort();
  await validateUpstream({ kind: "tcp", host: "localhost", port });
  await validateUpstream({ kind: "unix", path: "/nowhere/app.sock" });
  await expect(validateUpstream(https())).resolves.toBeUndefined();
});

test("a folder has to be one", async () => {
  const folder = await useFolder();
  await mkdir(join(folder, "dist"));
  await writeFile(join(folder, "index.html"), "");
  const check = (path: string) =>
    validateUpstream({ kind: "folder", path: join(folder, path) });
  await expect(check("dist")).resolves.toBeUndefined();
  await expectInvalid(check("missing"), /missing" does not exist \(/);
  await expectInvalid(
    check("index.html"),
    /is no folder: give the folder that/,
  );
  await expectInvalid(check("index.html/x"), /cannot be read \(ENOTDIR\)/);
});

test("the path of a Unix socket has to fit into an address", async () => {
  await expectInvalid(
    validateUpstream({ kind: "unix", path: `/${"a".repeat(107)}` }),
    /longer than 10[37] bytes/,
  );
});

test("the file of authorities has to hold certificates", async () => {
  const folder = await useFolder();
  const file = async (name: string, content: string) => {
    await writeFile(join(folder, name), content);
    return join(folder, name);
  };
  await openssl(
    folder,
    ..."req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout key.pem -out ca.pem -subj /CN=CA".split(
      " ",
    ),
  );
  const check = (ca: string) => validateUpstream(https(), { ca });
  await expect(check(join(folder, "ca.pem"))).resolves.toBeUndefined();
  await expectInvalid(
    check(join(folder, "missing.pem")),
    /--upstream-ca, ".*missing.pem", cannot be read \(ENOENT\)/,
  );
  await expectInvalid(check(folder), /cannot be read \(EISDIR\)/);
  await expectInvalid(check(join(folder, "key.pem")), /holds no certificate/);
  await expectInvalid(check(await file("empty", "")), /holds no certificate/);
  await expectInvalid(
    check(
      await file(
        "damaged",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
      ),
    ),
    /Certificate 1 in the file/,
  );
});

test("authorities without a verified HTTPS upstream are a mistake", async () => {
  const message = /has no effect on/;
  const ca = "ca.pem";
  await expectInvalid(validateUpstream(https(false), { ca }), message);
  await expectInvalid(
    validateUpstream({ kind: "tcp", host: "localhost", port: 80 }, { ca }),
    message,
  );
});

test("a probe says whether something answers, and hangs up", async () => {
  const server = await useServer(() => {});
  const spec = { kind: "tcp", host: "127.0.0.1", port: server.port } as const;
  expect(await probeUpstream(spec)).toBeUndefined();
  await expect.poll(() => server.sockets[0]?.readable).toBe(true);
  await server.stop();
  expect(await probeUpstream(spec)).toBe(
    `Nothing listens on 127.0.0.1:${server.port} (connection refused).`,
  );
  await expect(
    probeUpstream(spec, { signal: AbortSignal.abort(new Error("left")) }),
  ).rejects.toThrow("left");
});

async function expectInvalid(
  promise: Promise<unknown>,
  message: RegExp,
): Promise<void> {
  const error = await promise.catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(ExposeError);
  expect(error).toMatchObject({ code: "upstream-invalid", final: true });
  expect((error as ExposeError).message).toMatch(message);
}
