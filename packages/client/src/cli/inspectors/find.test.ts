// Whom the commands ask: a client that takes connections and says nothing holds nobody up.
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import net, { type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { expect, onTestFinished, test } from "vitest";
import { writeRunFile } from "../../inspect/run-file.ts";
import { runFolder } from "../../own-inspector.ts";
import type { CliIo } from "../io.ts";
import { openInspectors } from "./find.ts";

test("a client that is suspended is left out, and said to be", async () => {
  const home = mkdtempSync(join(tmpdir(), "expose-find-"));
  onTestFinished(() => rmSync(home, { recursive: true }));
  const silent = net.createServer((socket) => socket.on("error", () => {}));
  silent.listen(0, "127.0.0.1");
  await once(silent, "listening");
  onTestFinished(() => void silent.close());
  const { port } = silent.address() as AddressInfo;
  const env = { XDG_STATE_HOME: home };
  const remove = await writeRunFile(runFolder(env), {
    pid: process.pid,
    port,
    token: "t",
    startedAt: 0,
    url: `http://127.0.0.1:${port}`,
  });
  onTestFinished(remove);
  const stderr = new PassThrough();
  // Nothing else of it is used.
  const io = { env, stderr } as unknown as CliIo;
  const { signal } = new AbortController();
  await expect(openInspectors({ io, signal }, 50)).rejects.toMatchObject({
    code: "inspector-missing",
  });
  expect(String(stderr.read())).toBe(
    `expose: The client at http://127.0.0.1:${port} does not answer, and is left out.\n`,
  );
});
