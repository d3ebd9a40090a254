// The inspector of a session, as its session sees it.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { createSessionInspection } from "./session-inspection.ts";

test("a listener that throws at the page's address is no fault of the inspector's, which closes with its session", async () => {
  const stateFolder = mkdtempSync(join(tmpdir(), "expose-inspection-"));
  onTestFinished(() => rmSync(stateFolder, { recursive: true }));
  const said: string[] = [];
  let url = "";
  const thrown = new Promise<unknown>((resolve) => {
    const others = process.listeners("uncaughtException");
    process.removeAllListeners("uncaughtException");
    process.once("uncaughtException", (error) => {
      for (const listener of others) process.on("uncaughtException", listener);
      resolve(error);
    });
  });
  const inspection = createSessionInspection(
    { port: 0, stateFolder, history: { enabled: false } },
    {
      tunnels: () => [],
      log: { info() {}, warn: (sentence) => said.push(sentence) },
      onUrl(address) {
        url = address;
        throw new Error("a listener's own");
      },
      onWebhook() {},
    },
  )!;
  inspection.start();
  expect(await thrown).toMatchObject({ message: "a listener's own" });
  expect(said).toEqual([]);
  expect(inspection.explains).toBe(true);
  expect((await fetch(`${url}/api/status`)).status).toBe(200);
  await inspection.close();
  await expect(fetch(`${url}/api/status`)).rejects.toThrow("fetch failed");
});
