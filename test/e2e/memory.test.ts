// A gigabyte through a tunnel, each way, past a reader who is slow at times: edge and client hold only what is on its way.
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { request as httpRequest, type IncomingMessage } from "node:http";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it, onTestFinished } from "vitest";
import { startProgram, stop } from "../harness/processes.ts";
import { startUpstream } from "../harness/upstreams.ts";
import { describeIngress, startWorld, type World } from "../harness/worlds.ts";

const GIGABYTE = 1024 ** 3;
const MAX_GROWTH = 64 * 1024 ** 2;
const WARM_UP = GIGABYTE / 4;
const block = Buffer.alloc(1024 ** 2, "x");

/** Resident memory of a process, bytes. */
const rss = (pid: number): number =>
  Number(
    /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))![1],
  ) * 1024;

describeIngress("memory", (ingress) => {
  let world: World;
  beforeAll(async () => {
    world = await startWorld(ingress);
  });
  afterAll(() => world.stop());

  it("stays flat while a gigabyte goes up, one comes down, and a visitor does not read", async () => {
    const upstream = await startUpstream((request, response) => {
      if (request.method === "PUT") {
        let bytes = 0;
        request.on("data", (chunk: Buffer) => (bytes += chunk.length));
        request.on("end", () => response.end(String(bytes)));
        return;
      }
      let left = GIGABYTE;
      response.writeHead(200, { "content-length": String(left) });
      const send = (): void => {
        while (left > 0) {
          left -= block.length;
          if (!response.write(block)) return void response.once("drain", send);
        }
        response.end();
      };
      send();
    });
    const options = JSON.stringify({
      ...world.session(),
      port: upstream.port,
      name: "big",
      // What is captured of it is a megabyte.
      inspect: { port: 0, stateFolder: join(world.folder, "client-state") },
    });
    const client = startProgram(process.execPath, [
      "--input-type=module",
      "-e",
      `import { expose } from "@expose/client"; await expose(${options}); console.log("open");`,
    ]);
    onTestFinished(() => stop(client));
    await client.waitFor(/open/);
    const processes = [world.edge.child.pid!, client.child.pid!];
    const { host, port } = new URL(world.urlOf("big"));
    const ask = (method: string, headers: Record<string, string> = {}) =>
      httpRequest({
        host: "127.0.0.1",
        port,
        method,
        headers: { host, ...headers },
        agent: false,
      });

    const download = async (bytes: number): Promise<void> => {
      const request = ask("GET").end();
      const [response] = (await once(request, "response")) as [IncomingMessage];
      response.on("error", () => {});
      let got = 0;
      let chunks = 0;
      response.on("data", (chunk: Buffer) => {
        got += chunk.length;
        if (++chunks % 1_000 === 0) {
          response.pause();
          setTimeout(() => response.resume(), 5);
        }
        if (got >= bytes && bytes < GIGABYTE) response.destroy();
      });
      await once(response, "close");
      if (bytes === GIGABYTE) expect(got).toBe(GIGABYTE);
    };
    const upload = async (bytes: number): Promise<void> => {
      const request = ask("PUT", { "content-length": String(bytes) });
      const answered = once(request, "response") as Promise<[IncomingMessage]>;
      for (let sent = 0; sent < bytes; sent += block.length)
        if (!request.write(block)) await once(request, "drain");
      request.end();
      const [response] = await answered;
      let text = "";
      for await (const chunk of response) text += String(chunk);
      expect(text).toBe(String(bytes));
    };

    let peaks = processes.map(rss);
    const sampler = setInterval(() => {
      peaks = processes.map((pid, i) => Math.max(peaks[i]!, rss(pid)));
    }, 50);
    onTestFinished(() => clearInterval(sampler));
    // Warm: code is compiled. How much the collector lets pile up before it runs differs from one moment to the next, so
    // peaks are held against peaks.
    await download(WARM_UP);
    await upload(WARM_UP);
    const before = peaks;
    // A visitor who asks and never reads, all the while.
    const stalled = ask("GET").end();
    stalled.on("error", () => {});
    onTestFinished(() => void stalled.destroy());
    await once(stalled, "response");
    await download(GIGABYTE);
    await upload(GIGABYTE);
    const growth = peaks.map((peak, i) => peak - before[i]!);
    expect(growth[0], "growth of the edge, bytes").toBeLessThan(MAX_GROWTH);
    expect(growth[1], "growth of the client, bytes").toBeLessThan(MAX_GROWTH);
  }, 120_000);
});
