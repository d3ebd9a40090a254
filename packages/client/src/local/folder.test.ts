// Real files served to raw requests, hostile ones among them.
import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import {
  appendFile,
  chmod,
  mkdir,
  readdir,
  readlink,
  rename,
  rm,
  symlink,
  truncate,
  utimes,
  writeFile,
} from "node:fs/promises";
import { homedir } from "node:os";
import { join, relative } from "node:path";
import type { Duplex } from "node:stream";
import { expect, onTestFinished, test } from "vitest";
import { createFolderServer } from "./folder.ts";
import { resolveFolder } from "./folder-path.ts";
import { readAll, useFolder } from "./use-servers.ts";

test("files are served with their type, length and validators", async () => {
  const { folder, get } = await useServedFolder();
  await writeFile(join(folder, "a b.css"), "body {}");
  const { status, headers, body } = await get("/a%20b.css?v=2");
  expect(status).toBe(200);
  expect(body.toString()).toBe("body {}");
  expect(headers).toMatchObject({
    "content-type": "text/css; charset=utf-8",
    "content-length": "7",
    "accept-ranges": "bytes",
    "cache-control": "no-cache",
    "x-content-type-options": "nosniff",
    "last-modified": expect.stringMatching(/ GMT$/),
    etag: expect.stringMatching(/^"7-[0-9a-f]+"$/),
  });
});

test.each([
  ["index.html", "text/html; charset=utf-8"],
  ["app.js", "text/javascript; charset=utf-8"],
  ["app.mjs", "text/javascript; charset=utf-8"],
  ["data.json", "application/json; charset=utf-8"],
  ["app.webmanifest", "application/manifest+json; charset=utf-8"],
  ["logo.svg", "image/svg+xml; charset=utf-8"],
  ["logo.png", "image/png"],
  ["module.wasm", "application/wasm"],
  ["LICENSE", "application/octet-stream"],
  ["x.unheard-of", "application/octet-stream"],
  ["ü.txt", "text/plain; charset=utf-8"],
])("%s has the type %s", async (name, type) => {
  const { folder, get } = await useServedFolder();
  await writeFile(join(folder, name), "x");
  expect((await get(`/${encodeURIComponent(name)}`)).headers).toMatchObject({
    "content-type": type,
  });
});

test("a folder's page is its index.html, behind a slash", async () => {
  const { folder, get } = await useServedFolder();
  await mkdir(join(folder, "docs/empty"), { recursive: true });
  await writeFile(join(folder, "index.html"), "top");
  await writeFile(join(folder, "docs/index.html"), "docs");
  expect((await get("/")).body.toString()).toBe("top");
  expect((await get("/docs/")).body.toString()).toBe("docs");
  expect(await get("/docs?a=1?b")).toMatchObject({
    status: 302,
    headers: { location: "/docs/?a=1?b" },
  });
  expect((await get("/docs/empty/")).status).toBe(404);
  expect((await get("/index.html/")).status).toBe(404);
  expect((await get("http://shop.example/docs/")).body.toString()).toBe("docs");
  expect((await get("http://shop.example")).body.toString()).toBe("top");
});

test("a request with many cookies is served", async () => {
  const { folder, get } = await useServedFolder();
  await writeFile(join(folder, "a.txt"), "x");
  const { status } = await get("/a.txt", { Cookie: "c".repeat(30_000) });
  expect(status).toBe(200);
});

test("HEAD says what GET would, without the body", async () => {
  const { folder, raw } = await useServedFolder();
  await writeFile(join(folder, "a.txt"), "12345");
  const answer = (await raw("HEAD /a.txt HTTP/1.1\r\n")).toString();
  expect(answer).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
  expect(answer).toMatch(/Content-Length: 5\r\n/);
  expect(answer).toMatch(/\r\n\r\n$/);
  expect((await raw("HEAD /b.txt HTTP/1.1\r\n")).toString()).toMatch(
    /^HTTP\/1\.1 404 [^]*\r\n\r\n$/,
  );
});

test("other methods are refused and the connection stays usable", async () => {
  const { folder, raw } = await useServedFolder();
  await writeFile(join(folder, "a.txt"), "12345");
  const answers = (
    await raw(
      "POST /a.txt HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabcGET /a.txt HTTP/1.1\r\n",
    )
  ).toString();
  expect(answers).toMatch(/^HTTP\/1\.1 405 [^]*Allow: GET, HEAD\r\n/);
  expect(answers).toMatch(/HTTP\/1\.1 200 OK[^]*12345$/);
});

test("what is not there is answered with a line, or with the folder's own page", async () => {
  const { folder, get } = await useServedFolder();
  expect(await get("/missing")).toMatchObject({
    status: 404,
    headers: { "content-type": "text/plain; charset=utf-8" },
  });
  await writeFile(join(folder, "404.html"), "<h1>lost</h1>");
  const own = await get("/missing", {
    Range: "bytes=0-1",
    "If-None-Match": "*",
  });
  expect(own).toMatchObject({
    status: 404,
    headers: { "content-type": "text/html; charset=utf-8" },
  });
  expect(own.body.toString()).toBe("<h1>lost</h1>");
});

test.each([
  ["bytes=0-0", "0", "bytes 0-0/10"],
  ["bytes=2-4", "234", "bytes 2-4/10"],
  ["bytes=7-", "789", "bytes 7-9/10"],
  ["bytes=8-99", "89", "bytes 8-9/10"],
  ["bytes=-3", "789", "bytes 7-9/10"],
  ["bytes=-99", "0123456789", "bytes 0-9/10"],
  ["Bytes= 1-2 ", "12", "bytes 1-2/10"],
])("the range %s is served", async (range, body, contentRange) => {
  const { folder, get } = await useServedFolder();
  await writeFile(join(folder, "a.txt"), "0123456789");
  const answer = await get("/a.txt", { Range: range });
  expect(answer).toMatchObject({
    status: 206,
    headers: {
      "content-range": contentRange,
      "content-length": String(body.length),
    },
  });
  expect(answer.body.toString()).toBe(body);
});

test.each([
  ["bytes=5-4", 200],
  ["bytes=a-b", 200],
  ["bytes=-", 200],
  ["bytes=0-1,3-4", 200],
  ["lines=0-1", 200],
  ["bytes=10-", 416],
  ["bytes=99999999999999999999-", 416],
  ["bytes=-0", 416],
])("the range %s is answered with %i", async (range, status) => {
  const { folder, get } = await useServedFolder();
  await writeFile(join(folder, "a.txt"), "0123456789");
  const answer = await get("/a.txt", { Range: range });
  expect(answer.status).toBe(status);
  expect(answer.body).toHaveLength(status === 200 ? 10 : 0);
  if (status === 416)
    expect(answer.headers["content-range"]).toBe("bytes */10");
});

test("an empty file is served, and has no ranges", async () => {
  const { folder, get } = await useServedFolder();
  await writeFile(join(folder, "a.txt"), "");
  expect(await get("/a.txt")).toMatchObject({
    status: 200,
    headers: { "content-length": "0" },
  });
  expect((await get("/a.txt", { Range: "bytes=0-" })).status).toBe(416);
});

test("validators save the body of what has not changed, and only of that", async () => {
  const { folder, get } = await useServedFolder();
  const path = join(folder, "a.txt");
  await writeFile(path, "old");
  const first = await get("/a.txt");
  const etag = first.headers.etag!;
  const modified = first.headers["last-modified"]!;
  const status = async (headers: Record<string, string>) =>
    (await get("/a.txt", headers)).status;
  expect(await status({ "If-None-Match": etag })).toBe(304);
  expect(await status({ "If-None-Match": `"x", W/${etag}` })).toBe(304);
  expect(await status({ "If-None-Match": "*" })).toBe(304);
  expect(await status({ "If-None-Match": '"x"' })).toBe(200);
  expect(await status({ "If-Modified-Since": modified })).toBe(304);
  expect(
    await status({ "If-Modified-Since": "Thu, 01 Jan 1970 00:00:00 GMT" }),
  ).toBe(200);
  expect(await status({ "If-Modified-Since": "nonsense" })).toBe(200);
  // The tag is the finer one, and the date is not even looked at.
  expect(
    await status({ "If-None-Match": '"x"', "If-Modified-Since": modified }),
  ).toBe(200);
  expect(await status({ "If-Match": '"x"' })).toBe(412);
  expect(await status({ "If-Match": etag })).toBe(200);
  expect(await status({ "If-Match": `W/${etag}` })).toBe(412);
  expect(
    await status({ "If-Unmodified-Since": "Thu, 01 Jan 1970 00:00:00 GMT" }),
  ).toBe(412);
  const Range = "bytes=0-0";
  expect(await status({ Range, "If-Range": etag })).toBe(206);
  expect(await status({ Range, "If-Range": modified })).toBe(206);
  expect(await status({ Range, "If-Range": '"x"' })).toBe(200);

  await writeFile(path, "new");
  await utimes(path, 1_000, 1_000);
  expect(await status({ "If-None-Match": etag })).toBe(200);
  expect(await status({ Range, "If-Range": etag })).toBe(200);
});

test("nothing outside the folder is served, however the path is written", async () => {
  const { folder, get, outside } = await useServedFolder();
  await mkdir(join(folder, "sub"));
  await writeFile(join(folder, "sub/a.txt"), "inside");
  const name = relative(folder, outside);
  expect(name).toMatch(/^\.\.\//);
  const targets = [
    `/${name}`,
    `/sub/../${name}`,
    `/sub/../../${name.slice(3)}`,
    `/${name.replaceAll("/", "%2f")}`,
    `/${name.replaceAll("/", "%2F")}`,
    `/${name.replaceAll("..", "%2e%2e")}`,
    `/${name.replaceAll("..", ".%2e").replaceAll("/", "%2f")}`,
    `/${name.replaceAll("..", "%252e%252e")}`,
    `/sub/..%2f..%2f${name.slice(3)}`,
    `/sub/..%5c..%5c${name.slice(3)}`,
    `/${name.replaceAll("/", "\\")}`,
    `//${name}`,
    `/%2e/%2e%2e/${name.slice(3)}`,
    `/${encodeURIComponent(outside)}`,
    `/${outside}`,
    `//${outside}`,
    `/sub/a.txt%00.html`,
    `/sub/a.txt%00`,
    `/%00`,
    `/sub%2fa.txt`,
    `/sub//a.txt`,
    `/sub/./a.txt`,
    `/sub/%2e/a.txt`,
    "/%",
    "/%c0%ae%c0%ae/",
    "/%ff",
    "*",
    "sub/a.txt",
    "file:///etc/passwd",
    `http://x/${name}`,
  ];
  for (const target of targets) {
    const { status, body } = await get(target);
    expect([target, body.includes("SECRET")]).toEqual([target, false]);
    expect([target, [400, 404].includes(status)]).toEqual([target, true]);
  }
  expect((await get("/sub/a.txt")).body.toString()).toBe("inside");
});

test("names with a leading dot are not served, nor found behind links", async () => {
  const { folder, get } = await useServedFolder();
  await mkdir(join(folder, ".git"));
  await mkdir(join(folder, "sub"));
  for (const path of [".env", ".git/config", "sub/.htpasswd", ".index.html"])
    await writeFile(join(folder, path), "SECRET");
  await symlink(".git", join(folder, "repo"));
  await symlink(".env", join(folder, "env.txt"));
  for (const target of [
    "/.env",
    "/%2eenv",
    "/.git/config",
    "/%2Egit/config",
    "/sub/.htpasswd",
    "/sub/%2ehtpasswd",
    "/repo",
    "/repo/config",
    "/env.txt",
    "/.index.html",
  ]) {
    const { status, body } = await get(target);
    expect([target, status]).toEqual([target, 404]);
    expect(body.includes("SECRET")).toBe(false);
  }
});

test("links are followed inside the folder and not out of it", async () => {
  const { folder, get, outside } = await useServedFolder();
  await mkdir(join(folder, "real"));
  await writeFile(join(folder, "real/a.txt"), "inside");
  await symlink("real", join(folder, "linked"));
  await symlink("real/a.txt", join(folder, "b.html"));
  await symlink(outside, join(folder, "out.txt"));
  await symlink(join(outside, ".."), join(folder, "up"));
  await symlink("../../../../../../../../../etc", join(folder, "etc"));
  await symlink("loop", join(folder, "loop"));
  await symlink("nowhere", join(folder, "dangling"));
  await mkdir(join(folder, "out-index"));
  await symlink(outside, join(folder, "out-index/index.html"));
  expect((await get("/linked/a.txt")).body.toString()).toBe("inside");
  expect(await get("/b.html")).toMatchObject({
    status: 200,
    headers: { "content-type": "text/html; charset=utf-8" },
  });
  for (const target of [
    "/out.txt",
    "/up/secret.txt",
    "/up",
    "/etc/passwd",
    "/etc",
    "/loop",
    "/dangling",
    "/out-index/",
  ]) {
    const { status, body } = await get(target);
    expect([target, status]).toEqual([target, 404]);
    expect(body.includes("SECRET")).toBe(false);
  }
});

test("a folder that is swapped for a link out while it is served leaks nothing", async () => {
  const { folder, get, outside } = await useServedFolder();
  await mkdir(join(folder, "sub"));
  await writeFile(join(folder, "sub/secret.txt"), "inside");
  let swapping = true;
  const swap = (async () => {
    while (swapping) {
      await rename(join(folder, "sub"), join(folder, "aside"));
      await symlink(join(outside, ".."), join(folder, "sub"));
      await rm(join(folder, "sub"));
      await rename(join(folder, "aside"), join(folder, "sub"));
    }
  })();
  for (let i = 0; i < 400; i++) {
    const { status, body } = await get("/sub/secret.txt");
    expect([status, body.includes("SECRET")]).toEqual([status, false]);
  }
  swapping = false;
  await swap;
  expect((await get("/sub/secret.txt")).body.toString()).toBe("inside");
});

test("what is no file is not opened for long", async () => {
  const { folder, get } = await useServedFolder();
  execFileSync("mkfifo", [join(folder, "pipe")]);
  await symlink("/dev/zero", join(folder, "zero"));
  await writeFile(join(folder, "locked"), "x");
  await chmod(join(folder, "locked"), 0);
  expect((await get("/pipe")).status).toBe(404);
  expect((await get("/zero")).status).toBe(404);
  // Root reads everything.
  expect((await get("/locked")).status).toBe(process.getuid?.() ? 404 : 200);
  expect((await get(`/${"a".repeat(300)}`)).status).toBe(404);
});

test("a huge file is streamed, and a visitor who leaves closes it", async () => {
  const { folder, connect } = await useServedFolder();
  const path = join(folder, "huge.bin");
  await writeFile(path, "begin");
  await truncate(path, 8 * 1_024 ** 3);
  const before = process.memoryUsage().rss;
  const stream = connect();
  stream.write("GET /huge.bin HTTP/1.1\r\nHost: a\r\n\r\n");
  let received = 0;
  await new Promise<void>((resolve) =>
    stream.on("data", (chunk: Buffer) => {
      received += chunk.length;
      if (received > 20_000_000) resolve();
    }),
  );
  expect(process.memoryUsage().rss - before).toBeLessThan(100 * 1_024 ** 2);
  expect(await openFiles(path)).toBe(1);
  stream.destroy();
  await expect.poll(() => openFiles(path)).toBe(0);
});

test("a file that becomes shorter while it is served is cut off, not completed", async () => {
  const { folder, connect } = await useServedFolder();
  const path = join(folder, "big.bin");
  await writeFile(path, randomBytes(4_000_000));
  const stream = connect();
  stream.write("GET /big.bin HTTP/1.1\r\nHost: a\r\n\r\n");
  await new Promise((resolve) => stream.once("readable", resolve));
  await truncate(path, 10);
  const bytes = await readAll(stream);
  expect(bytes.length).toBeLessThan(4_000_000);
  expect(stream.destroyed).toBe(true);
  await expect.poll(() => openFiles(path)).toBe(0);
});

test("a file that grows or is replaced while it is served arrives as it was", async () => {
  const { folder, connect } = await useServedFolder();
  const path = join(folder, "big.bin");
  const bytes = randomBytes(4_000_000);
  await writeFile(path, bytes);
  const stream = connect();
  stream.write("GET /big.bin HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  await new Promise((resolve) => stream.once("readable", resolve));
  await appendFile(path, "more");
  await rename(path, `${path}.old`);
  await writeFile(path, "new");
  const answer = await readAll(stream);
  expect(answer.subarray(answer.indexOf("\r\n\r\n") + 4).equals(bytes)).toBe(
    true,
  );
});

test("a folder that is removed and built again is served again", async () => {
  const { folder, get } = await useServedFolder();
  await writeFile(join(folder, "a.txt"), "1");
  await rm(folder, { recursive: true });
  expect((await get("/a.txt")).status).toBe(404);
  expect((await get("/")).status).toBe(404);
  await mkdir(folder);
  await writeFile(join(folder, "a.txt"), "2");
  expect((await get("/a.txt")).body.toString()).toBe("2");
});

test("a tilde stands for the home folder, and only at the beginning", () => {
  expect(resolveFolder("~")).toBe(homedir());
  expect(resolveFolder("~/site")).toBe(join(homedir(), "site"));
  expect(resolveFolder("/srv/~/site")).toBe("/srv/~/site");
  expect(resolveFolder("./~")).toBe(join(process.cwd(), "~"));
});

test("closing cuts what is being sent", async () => {
  const parent = await useFolder();
  const path = join(parent, "big.bin");
  await writeFile(path, randomBytes(4_000_000));
  const server = createFolderServer(parent);
  const stream = server.connect();
  stream.write("GET /big.bin HTTP/1.1\r\nHost: a\r\n\r\n");
  await new Promise((resolve) => stream.once("readable", resolve));
  server.close();
  expect(stream.destroyed).toBe(true);
  await expect.poll(() => openFiles(path)).toBe(0);
});

async function useServedFolder() {
  const parent = await useFolder();
  const folder = join(parent, "site");
  const outside = join(parent, "secret.txt");
  await mkdir(folder);
  await writeFile(outside, "SECRET");
  const server = createFolderServer(folder);
  onTestFinished(() => server.close());
  const connect = (): Duplex => {
    const stream = server.connect();
    stream.on("error", () => {});
    return stream;
  };
  /** @param head the last request without its Host and its end; the connection closes after it */
  const raw = async (head: string): Promise<Buffer> => {
    const stream = connect();
    stream.write(`${head}Host: a\r\nConnection: close\r\n\r\n`);
    return readAll(stream);
  };
  const get = async (target: string, headers: Record<string, string> = {}) => {
    const lines = Object.entries(headers).map(([k, v]) => `${k}: ${v}\r\n`);
    return parse(await raw(`GET ${target} HTTP/1.1\r\n${lines.join("")}`));
  };
  return { folder, outside, connect, raw, get };
}

function parse(answer: Buffer) {
  const end = answer.indexOf("\r\n\r\n");
  const [first = "", ...lines] = answer
    .toString("latin1", 0, end)
    .split("\r\n");
  const headers: Record<string, string> = Object.fromEntries(
    lines.map((line) => {
      const [, name = "", value = ""] = /^([^:]*): (.*)$/.exec(line) ?? [];
      return [name.toLowerCase(), value];
    }),
  );
  return {
    status: Number(first.split(" ")[1]),
    headers,
    body: answer.subarray(end + 4),
  };
}

/** How often this process holds a file open. */
async function openFiles(path: string): Promise<number> {
  const links = await Promise.all(
    (await readdir("/proc/self/fd")).map((fd) =>
      readlink(`/proc/self/fd/${fd}`).catch(() => ""),
    ),
  );
  return links.filter((link) => link === path).length;
}
