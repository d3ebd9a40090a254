import { execFile } from "node:child_process";
import { mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import type { ExportFormat, HeaderLine } from "@expose/protocol";
import fc from "fast-check";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { sketchStored, type ExchangeSketch } from "../use-stored.ts";
import { exportExchange } from "./export-exchange.ts";
import { useRecorder, type Recorded } from "./use-recorder.ts";

const run = promisify(execFile);

// Each test starts a shell, curl, HTTPie or Node, and the machine may be busy.
vi.setConfig({ testTimeout: 30_000 });

async function useFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "expose-export-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  return folder;
}

async function runScript(shell: string, script: string): Promise<void> {
  const folder = await useFolder();
  await writeFile(join(folder, "script"), script);
  // With a home of its own, so that nobody's .curlrc has a say.
  await run(shell, [join(folder, "script")], {
    env: { PATH: process.env["PATH"], HOME: folder, LANG: "C.UTF-8" },
  });
}

async function write(sketch: ExchangeSketch, format: ExportFormat) {
  return (await exportExchange(sketchStored(sketch), format)).text;
}

/** What a shell, a person or a file system could stumble over. */
const nasty =
  "a'b\"c$HOME`id`$(id)\\n\\\\ !! !x ~ * ? [a] {1,2} # % %s & | ; < > \t\n\n é ☃ \u{1f600} @file\n";

const sketches: readonly (ExchangeSketch & { name: string })[] = [
  {
    name: "everything that a shell knows",
    body: nasty,
    headers: { "Content-Type": "text/plain" },
  },
  {
    name: "what looks like a file",
    body: "@/etc/passwd",
    headers: { "Content-Type": "a/b" },
  },
  { name: "no type", body: "no type", headers: {} },
  {
    name: "every byte",
    body: Buffer.from(Array.from({ length: 256 }, (_, i) => i)),
  },
  {
    name: "CR LF",
    body: "crlf\r\n--x\r\n",
    headers: { "Content-Type": "multipart/form-data; boundary=x" },
  },
  {
    name: "more than an argument may have",
    body: `${"long ".repeat(60_000)}'`,
    headers: { "Content-Type": "text/plain" },
  },
  { name: "no break at the end", body: "ends without a break" },
  { name: "a break alone", body: "\n" },
  {
    name: "headers empty, double and strange",
    method: "GET",
    headers: [
      ["X-Empty", ""],
      ["X-A", "1"],
      ["X-A", "2"],
      ["x-b", nasty.replace(/[^\x20-\x7e]/g, "").trim()],
    ],
  },
  {
    name: "headers beyond ASCII",
    method: "DELETE",
    headers: [
      ["X-Latin", "caf\u00e9 '%s\\ \" `$"],
      ["X-At", "@/etc/passwd"],
      ["X-Eq", "=1"],
      ["User-Agent", "us/1"],
      ["Accept", "x/y"],
    ],
  },
  {
    name: "headers in UTF-8",
    method: "DELETE",
    headers: [
      ["X-Name", Buffer.from("caf\u00e9").toString("latin1")],
      ["X-At", "@/etc/passwd"],
      ["X-Eq", "=1"],
      ["User-Agent", "us/1"],
      ["Accept", "x/y"],
    ],
  },
  {
    name: "a target that is not tidy",
    method: "PATCH",
    url: "https://shop.example.com/a/../b//%2e%2e/./[x]{y,z}?q='$x'&r=`id`&s=!!#",
  },
  {
    name: "a target with quotes",
    method: "POST",
    url: 'https://shop.example.com/?a=1&amp;b="2"&c=*',
  },
  {
    name: "a method of its own",
    method: "M-SEARCH",
    url: "https://shop.example.com/-x",
  },
  {
    name: "the end of a here-document",
    body: "EOF\nBODY\n'\nBODY",
    headers: { "Content-Type": "text/plain" },
  },
];

/** As they are to arrive at a server that lets them in. */
const expected = (origin: string, sketch: ExchangeSketch) => {
  const { exchange, bodies } = sketchStored(sketch);
  return {
    method: exchange.method,
    target: exchange.target.replace(/#.*$/s, ""),
    headers: (exchange.request!.headers as HeaderLine[]).filter(
      ([name]) => name !== "Host",
    ),
    host: origin.replace("http://", ""),
    body: bodies.request,
  };
};

function compare(
  origin: string,
  sketch: ExchangeSketch,
  recorded: Recorded | undefined,
  added: readonly string[] = [],
) {
  const { headers = [], ...rest } = recorded ?? { headers: [] };
  const host = headers.find(([name]) => name.toLowerCase() === "host")?.[1];
  const ignored = new Set(["host", "content-length", "connection", ...added]);
  expect({
    ...rest,
    host,
    headers: headers.filter(([name]) => !ignored.has(name.toLowerCase())),
  }).toEqual(expected(origin, sketch));
}

const at = (origin: string, sketch: ExchangeSketch): ExchangeSketch => ({
  ...sketch,
  url: (sketch.url ?? "https://shop.example.com/hooks").replace(
    "https://shop.example.com",
    origin,
  ),
});

describe.each(["sh", "bash"])("curl from %s", (shell) => {
  test.each(sketches)("sends the same request: $name", async (sketch) => {
    const { origin, requests } = await useRecorder();
    const command = await write(at(origin, sketch), "curl");
    await runScript(shell, command);
    compare(origin, sketch, requests[0]);
  });
});

test("curl's HEAD waits for no body, and what follows a HEAD is nothing", async () => {
  const { origin, requests } = await useRecorder();
  const command = await write(at(origin, { method: "HEAD" }), "curl");
  await runScript("sh", command);
  expect(requests[0]?.method).toBe("HEAD");
});

test("any text in body, header and target comes through sh and curl byte by byte", async () => {
  const { origin, requests } = await useRecorder();
  const byte = fc
    .integer({ min: 1, max: 255 })
    .map((code) => String.fromCharCode(code));
  const header = fc
    .string({
      unit: fc
        .integer({ min: 0x20, max: 0xff })
        .filter((code) => code !== 0x7f && (code < 0x80 || code > 0x9f))
        .map((code) => String.fromCharCode(code)),
      maxLength: 30,
    })
    .map((text) => text.trim());
  const target = fc.string({
    unit: fc
      .integer({ min: 0x21, max: 0x7e })
      .map((code) => String.fromCharCode(code))
      .filter((c) => c !== "#"),
    maxLength: 20,
  });
  const samples = fc.sample(
    fc.record({
      method: fc.constantFrom("POST", "PUT"),
      body: fc.oneof(
        fc
          .string({ unit: byte, maxLength: 40 })
          .map((text) => Buffer.from(text, "latin1")),
        fc
          .string({ unit: "grapheme", maxLength: 20 })
          .map((text) => Buffer.from(text)),
      ),
      header,
      target,
    }),
    { numRuns: 120, seed: 20_261_122 },
  );
  const cases = samples.map(
    ({ method, body, header: value, target: path }): ExchangeSketch => ({
      method,
      body,
      url: `https://shop.example.com/${path}`,
      headers: [
        ["X-Value", value],
        ["Content-Type", "x/y"],
      ],
    }),
  );
  const script = (
    await Promise.all(cases.map((sketch) => write(at(origin, sketch), "curl")))
  ).join("\n");
  const folder = await useFolder();
  await writeFile(join(folder, "all.sh"), script);
  await run("sh", ["-e", join(folder, "all.sh")]);
  expect(requests).toHaveLength(cases.length);
  for (const [i, sketch] of cases.entries())
    compare(origin, sketch, requests[i]);
});

describe("HTTPie", () => {
  test("refuses a method that it would take for a URL, and tells of headers that it cannot write", async () => {
    await expect(write({ method: "M-SEARCH" }, "httpie")).rejects.toMatchObject(
      { code: "export-refused" },
    );
    expect(
      await write({ headers: [["X-Latin", "caf\u00e9"]] }, "httpie"),
    ).toContain(
      "# HTTPie writes headers in UTF-8, so that X-Latin will differ",
    );
  });

  test.each(
    sketches.filter(({ name }) => !/beyond ASCII|method of its own/.test(name)),
  )("sends the same request: $name", async (sketch) => {
    const { origin, requests } = await useRecorder();
    const command = await write(at(origin, sketch), "httpie");
    await runScript("sh", command);
    const [recorded] = requests;
    // It joins lines of one name, and has an order of its own.
    const join = (headers: readonly HeaderLine[] = []) =>
      Object.fromEntries(
        headers.map(([name]) => [
          name.toLowerCase(),
          headers
            .filter((line) => line[0].toLowerCase() === name.toLowerCase())
            .map(([, value]) => value.trim())
            .join(", ")
            .replaceAll(",  ", ", "),
        ]),
      );
    const wanted = expected(origin, sketch);
    expect(recorded?.method).toBe(wanted.method);
    expect(recorded?.body).toEqual(wanted.body);
    expect(join(recorded?.headers)).toMatchObject(join(wanted.headers));
  });
});

describe("fetch", () => {
  test.each(sketches)(
    "sends the same request from Node: %j",
    async (sketch) => {
      const { origin, requests } = await useRecorder();
      const folder = await useFolder();
      const file = join(folder, "request.mjs");
      await writeFile(file, await write(at(origin, sketch), "fetch"));
      const { stdout } = await run(process.execPath, [file]);
      expect(stdout).toBe("200 recorded\n");
      const [recorded] = requests;
      const wanted = expected(origin, sketch);
      expect(recorded?.method).toBe(wanted.method);
      expect(recorded?.body).toEqual(wanted.body);
      for (const [name, value] of wanted.headers)
        expect(
          recorded?.headers.find(
            ([key]) => key.toLowerCase() === name.toLowerCase(),
          )?.[1],
        ).toContain(value);
      // What a URL parser tidies up is beyond fetch.
      if (!sketch.url?.includes(".."))
        expect(recorded?.target).toBe(
          new URL(wanted.target, origin).href.slice(origin.length),
        );
    },
  );

  test("a body that it does not send is told of", async () => {
    expect(await write({ method: "GET", body: "x" }, "fetch")).toContain(
      "// fetch sends no body with GET.",
    );
  });
});

describe("a Vitest test", () => {
  const answers: readonly ExchangeSketch[] = [
    {
      responseHeaders: [["Content-Type", "application/json"]],
      responseBody: '{"id":1,"list":["é",null],"__proto__":{"a":1}}',
    },
    {
      responseHeaders: [["Content-Type", "text/plain; charset=utf-8"]],
      responseBody: nasty,
    },
    {
      responseHeaders: [["Content-Type", "image/png"]],
      responseBody: Buffer.from([0, 255, 13, 10]),
    },
    { status: 404, responseBody: "" },
    {
      status: 302,
      responseHeaders: [
        ["Location", "/x"],
        ["Content-Type", "text/html"],
      ],
      responseBody: "moved",
    },
  ];

  test("of each kind of answer holds for the same one, and fails for another", async () => {
    const { createServer } = await import("node:http");
    const folder = await useFolder();
    await symlink(
      join(import.meta.dirname, "../../../../../node_modules"),
      join(folder, "node_modules"),
    );
    let broken = false;
    const server = createServer((request, response) => {
      const answer = sketchStored(answers[Number(request.url!.slice(2))]!);
      response.statusCode = answer.exchange.status!;
      for (const [name, value] of answer.exchange.response!.headers)
        response.setHeader(name, value);
      response.end(broken ? "something else" : answer.bodies.response);
    });
    await new Promise<void>((resolve) =>
      server.listen(0, "127.0.0.1", resolve),
    );
    onTestFinished(() => void server.close());
    const { port } = server.address() as { port: number };
    for (const [i, answer] of answers.entries())
      await writeFile(
        join(folder, `exchange${i}.test.ts`),
        await write(
          {
            ...answer,
            body: nasty,
            url: `https://shop.example.com/?${i}`,
            over: { upstream: `127.0.0.1:${port}` },
          },
          "vitest",
        ),
      );
    const vitest = () =>
      run(
        process.execPath,
        [
          join(folder, "node_modules/vitest/vitest.mjs"),
          "run",
          "--reporter=json",
          "--root",
          folder,
        ],
        { cwd: folder },
      ).catch((error: { stdout: string }) => error);
    const good = JSON.parse((await vitest()).stdout) as Record<string, unknown>;
    expect(good).toMatchObject({
      numPassedTests: answers.length,
      numFailedTests: 0,
    });
    broken = true;
    const bad = JSON.parse((await vitest()).stdout) as Record<string, unknown>;
    expect(bad).toMatchObject({
      numPassedTests: 0,
      numFailedTests: answers.length,
    });
  }, 60_000);

  test("is refused where there is nothing to expect", async () => {
    const { response: _response, ...open } = sketchStored().exchange;
    await expect(
      exportExchange({ ...sketchStored(), exchange: open }, "vitest"),
    ).rejects.toMatchObject({ code: "export-refused" });
    await expect(
      write({ method: "GET", body: "x" }, "vitest"),
    ).rejects.toMatchObject({ code: "export-refused" });
  });
});

test.each([
  ["http://elsewhere.example/a?b", "https://shop.example.com/a?b"],
  ["http://elsewhere.example", "https://shop.example.com/"],
  ["http://elsewhere.example?b", "https://shop.example.com/?b"],
  ["*", "https://shop.example.com/"],
])("a target of %s goes nowhere else than it came to", async (target, url) => {
  const stored = sketchStored();
  const { exchange } = stored;
  const request = { ...exchange.request!, target };
  const { text } = await exportExchange(
    { ...stored, exchange: { ...exchange, target, request } },
    "curl",
  );
  expect(text).toMatch(
    new RegExp(`--url '?${url.replace(/[?*.]/g, "\\$&")}'?\n`),
  );
});

describe("what is not there", () => {
  const redacted: ExchangeSketch = {
    headers: { Authorization: "[redacted]", "X-Other": "[redacted]" },
    over: { redacted: ["authorization"] },
  };

  test.each(["curl", "httpie", "fetch", "http", "vitest"] as const)(
    "%s leaves a redacted header out and says so",
    async (format) => {
      const text = await write(redacted, format);
      expect(text).toContain("Without the secrets of authorization");
      expect(text).not.toMatch(/authorization['": ]+\[redacted/i);
      expect(text).toMatch(/X-Other['",: ]+\[redacted/);
    },
  );

  test.each(["curl", "httpie", "fetch", "http", "vitest"] as const)(
    "%s is refused for a body of which a part is missing",
    async (format) => {
      const stored = sketchStored({ body: "whole" });
      const cut = {
        ...stored,
        bodies: { ...stored.bodies, request: Buffer.from("who") },
      };
      await expect(exportExchange(cut, format)).rejects.toMatchObject({
        code: "export-refused",
        message: expect.stringContaining("3 of 5 bytes") as string,
      });
    },
  );
});
