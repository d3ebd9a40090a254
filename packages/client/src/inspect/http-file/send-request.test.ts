import { mkdtemp, mkdir, rm, symlink, writeFile } from "node:fs/promises";
import net, { type AddressInfo, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { useRecorder } from "../export/use-recorder.ts";
import { sketchStored } from "../use-stored.ts";
import { createWebhooks } from "../webhooks/create-webhooks.ts";
import { readHttpFile, type WholeRequest } from "./read-http-file.ts";
import { sendRequest } from "./send-request.ts";
import { signRequest } from "./sign-request.ts";

async function useFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "expose-http-file-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  return folder;
}

const request: WholeRequest = {
  name: "",
  method: "POST",
  target: "/hooks?a=1",
  headers: [
    ["X-B", "2"],
    ["x-a", "1"],
    ["X-B", "caf\u00e9"],
  ],
  body: Buffer.from([0, 255, 13, 10]),
  line: 1,
};

const send = (port: number, changes: Partial<WholeRequest> = {}) =>
  sendRequest(
    { ...request, ...changes },
    {
      target: changes.target ?? request.target,
      host: "shop.example.com",
      dial: () =>
        new Promise((resolve, reject) => {
          const socket = net.connect(port, "127.0.0.1");
          socket.once("connect", () => resolve(socket));
          socket.once("error", reject);
        }),
      signal: AbortSignal.timeout(10_000),
    },
  );

describe("a request that is sent", () => {
  test("arrives with its headers in order and its body byte by byte", async () => {
    const { origin, requests } = await useRecorder();
    const answer = await send(Number(new URL(origin).port));
    expect(answer).toMatchObject({ status: 200, truncated: false });
    expect(answer.body.toString()).toBe("recorded");
    expect(requests).toEqual([
      {
        method: "POST",
        target: "/hooks?a=1",
        headers: [
          ["Host", "shop.example.com"],
          ["X-B", "2"],
          ["x-a", "1"],
          ["X-B", "caf\u00e9"],
          ["Content-Length", "4"],
          ["Connection", "close"],
        ],
        body: request.body,
      },
    ]);
  });

  test("keeps its own Host, and frames its body anew", async () => {
    const { origin, requests } = await useRecorder();
    await send(Number(new URL(origin).port), {
      method: "GET",
      body: Buffer.alloc(0),
      headers: [
        ["host", "other.example.com"],
        ["Content-Length", "99"],
        ["Transfer-Encoding", "chunked"],
        ["Connection", "keep-alive"],
      ],
    });
    expect(requests[0]?.headers).toEqual([
      ["host", "other.example.com"],
      ["Connection", "close"],
    ]);
  });
});

/** A server that answers bytes of the test's choice, and hangs up. */
async function useAnswer(bytes: string): Promise<number> {
  const sockets = new Set<Socket>();
  const server = net.createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    socket.once("data", () => socket.end(bytes));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

describe("an answer", () => {
  test("is given as it came", async () => {
    const port = await useAnswer(
      "HTTP/1.1 404 Not Here\r\nX-A: 1\r\nx-a: 2\r\nContent-Length: 2\r\n\r\nno",
    );
    expect(await send(port)).toMatchObject({
      status: 404,
      reason: "Not Here",
      version: "1.1",
      headers: [
        ["X-A", "1"],
        ["x-a", "2"],
        ["Content-Length", "2"],
      ],
      body: Buffer.from("no"),
    });
  });

  test.each([
    ["nothing", "", "connection ended before"],
    ["garbage", "SSH-2.0-OpenSSH\r\n", "no HTTP"],
    [
      "half a body",
      "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf",
      "connection ended before",
    ],
  ])("that is %s is a failure", async (_, bytes, message) => {
    await expect(send(await useAnswer(bytes))).rejects.toMatchObject({
      code: "send-failed",
      message: expect.stringContaining(message) as string,
    });
  });
});

describe("a file on disk", () => {
  test("has bodies from files beside it, and from nowhere else", async () => {
    const folder = await useFolder();
    const inside = join(folder, "inside");
    await mkdir(inside);
    await writeFile(join(folder, "secret"), "key");
    await writeFile(join(inside, "body.bin"), Buffer.from([0, 255]));
    await symlink(join(folder, "secret"), join(inside, "link"));
    const file = join(inside, "a.http");
    const read = async (body: string) => {
      await writeFile(file, `POST /x\n\n< ${body}\n`);
      return (await readHttpFile(file))[0]!.body;
    };
    expect(await read("./body.bin")).toEqual(Buffer.from([0, 255]));
    for (const outside of ["../secret", "link", join(folder, "secret"), "."])
      await expect(read(outside)).rejects.toMatchObject({
        code: "http-file-invalid",
        message: expect.stringContaining("not in the folder") as string,
      });
    await expect(read("missing")).rejects.toThrow("does not exist");
  });

  test("that is missing is told of", async () => {
    await expect(readHttpFile("/nonexistent/a.http")).rejects.toMatchObject({
      code: "http-file-invalid",
      message: "/nonexistent/a.http does not exist.",
    });
  });
});

test("a signature takes the place of the old one, and holds where the request goes", () => {
  const webhooks = createWebhooks({
    env: { EXPOSE_WEBHOOK_SECRET_TWILIO: "12345" },
  });
  const headers = signRequest(
    {
      ...request,
      headers: [
        ["x-twilio-signature", "old"],
        ["X-A", "1"],
      ],
      body: Buffer.from("a=1"),
    },
    { origin: "https://shop.example.com", target: "/voice?x=1" },
    "twilio",
    webhooks,
  );
  expect(headers.map(([name]) => name)).toEqual(["x-twilio-signature", "X-A"]);
  const { exchange, bodies } = sketchStored({
    url: "https://shop.example.com/voice?x=1",
    headers,
    body: "a=1",
  });
  expect(webhooks.explain(exchange, () => bodies.request)?.verdict).toBe(
    "verified",
  );
});
