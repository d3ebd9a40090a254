// Raw requests from files: those beside this file, and those of a folder that EXPOSE_CORPUS names
// (`npm run test:corpus -- DIR`). One JSON object a line; `b64` holds the bytes. Each is sent with seven methods, in both
// versions of HTTP, with the tunnel's Host in place of its own, and once as it is.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { describeIngress, startWorld, type World } from "../harness/worlds.ts";
import { attack, attackConfig } from "./attack.ts";
import { startRecorder, type Recorder } from "./recorder.ts";

const FOLDERS = [
  join(import.meta.dirname, "corpus"),
  ...(process.env["EXPOSE_CORPUS"] ? [process.env["EXPOSE_CORPUS"]] : []),
];
const METHODS = ["GET", "POST", "DELETE", "OPTIONS", "PUT", "HEAD", "CONNECT"];

describeIngress("a corpus of raw requests", (ingress) => {
  let world: World;
  let recorder: Recorder;
  beforeAll(async () => {
    world = await startWorld(ingress, { config: attackConfig });
    recorder = await startRecorder();
  });
  afterAll(async () => {
    await recorder.close();
    await world.stop();
  });

  it.each(FOLDERS)(
    "in %s has one meaning for each or none",
    async (folder) => {
      const payloads = readCorpus(folder);
      expect(payloads.length).toBeGreaterThan(0);
      const tunnel = await world.expose({
        port: recorder.port,
        name: "target",
        watchRequests: false,
      });
      const { host } = new URL(tunnel.url);
      const { statuses, problems } = await attack(
        world,
        "target",
        recorder,
        payloads.flatMap((payload) => variants(payload, host)),
      );
      await tunnel.close();
      // oxlint-disable-next-line no-console -- what a corpus meets is what the command is for
      console.log(
        `${folder}: ${[...statuses]
          .sort()
          .map(([status, count]) => `${status || "none"}: ${count}`)
          .join(", ")}`,
      );
      expect(problems).toEqual([]);
    },
    600_000,
  );
});

function readCorpus(folder: string): Buffer[] {
  return readdirSync(folder)
    .filter((name) => name.endsWith(".jsonl"))
    .flatMap((name) => readFileSync(join(folder, name), "utf8").split("\n"))
    .filter((line) => line !== "")
    .map((line) =>
      Buffer.from((JSON.parse(line) as { b64: string }).b64, "base64"),
    );
}

function variants(payload: Buffer, host: string): Buffer[][] {
  const text = payload.toString("latin1");
  const named = /^host[ \t]*:/im.test(text)
    ? text.replace(/^(host[ \t]*:[ \t]*)[^\r\n]*/gim, `$1${host}`)
    : text.replace(/\r?\n/, `\r\nHost: ${host}$&`);
  const changed = METHODS.flatMap((method) =>
    ["1.0", "1.1"].map((version) =>
      named
        .replace(/^[A-Za-z]+ /, `${method} `)
        .replace(/HTTP\/1\.[01]/, `HTTP/${version}`),
    ),
  );
  return [text, named, ...changed].map((each) => [Buffer.from(each, "latin1")]);
}
