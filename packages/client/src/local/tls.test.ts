// TLS to real servers with certificates of a throw-away authority.
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import type net from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import tls from "node:tls";
import type { JoinResult, UpstreamSpec } from "@expose/protocol";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { createUpstream } from "./upstream.ts";
import {
  freePort,
  openssl,
  readAll,
  useChannel,
  useServer,
} from "./use-servers.ts";

let folder: string;
const inFolder = (name: string): string => join(folder, name);

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "expose-tls-"));
  await openssl(
    folder,
    ..."req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key -out ca.pem -days 2 -subj /CN=CA".split(
      " ",
    ),
  );
  await certify("good", "DNS:localhost,IP:127.0.0.1", 2);
  await certify("foreign", "DNS:elsewhere.example", 2);
  await certify("expired", "DNS:localhost,IP:127.0.0.1", -1);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

test("a certificate of one's own authority is accepted with --upstream-ca", async () => {
  const server = await useTlsServer("good");
  for (const host of ["localhost", "127.0.0.1"]) {
    const { answer, result } = await ask(verified(server.port, host), "ca.pem");
    expect(answer).toBe("hello");
    expect(result).toEqual({ bytesAToB: 5, bytesBToA: 5 });
  }
  expect(server.seen).toEqual([
    // Addresses are not named in SNI (RFC 6066 section 3).
    { servername: "localhost", alpn: "http/1.1" },
    { servername: false, alpn: "http/1.1" },
  ]);
});

test.each([
  ["good", undefined, "its authority is not known here"],
  ["foreign", "ca.pem", "it is made out to another name"],
  ["expired", "ca.pem", "it has expired"],
  ["ca", undefined, "it is signed by itself"],
])(
  "the certificate %s with the authorities %s is refused, and the ways out are named",
  async (certificate, ca, why) => {
    const server = await useTlsServer(certificate);
    const { answer, result, states } = await ask(verified(server.port), ca);
    const reason = `The certificate of https://localhost:${server.port} cannot be verified (${why}); use https+insecure://localhost:${server.port} or --upstream-ca FILE.`;
    expect(answer).toBe("");
    expect(result.error?.message).toBe(reason);
    expect(states).toEqual([["down", reason]]);
    await expect.poll(() => server.open()).toBe(0);
  },
);

test("the visitor's end passes through TLS and the answer still comes", async () => {
  const server = await useTlsServer("good", true);
  const { answer } = await ask(verified(server.port), "ca.pem");
  expect(answer).toBe("hello");
});

test("https+insecure accepts any certificate", async () => {
  const server = await useTlsServer("foreign");
  const { answer } = await ask({
    ...verified(server.port),
    verify: false,
  });
  expect(answer).toBe("hello");
});

test("a service without TLS is told apart from one that is down", async () => {
  const plain = await useServer((socket) => {
    socket.on("data", () => socket.end("HTTP/1.1 400 Bad Request\r\n\r\n"));
  });
  const { result } = await ask(verified(plain.port, "127.0.0.1"));
  expect(result.error?.message).toBe(
    `What listens on https://127.0.0.1:${plain.port} does not speak TLS as expected; without TLS it is http://127.0.0.1:${plain.port}.`,
  );
});

test("a service that hangs up in the handshake is said to close", async () => {
  const rude = await useServer((socket) => {
    socket.on("data", () => socket.end());
  });
  const { result } = await ask(verified(rude.port, "127.0.0.1"));
  expect(result.error?.message).toBe(
    `https://127.0.0.1:${rude.port} closed the connection at once.`,
  );
});

test("a service that is down is said to be down", async () => {
  const port = await freePort();
  const { result } = await ask(verified(port, "127.0.0.1"));
  expect(result.error?.message).toBe(
    `Nothing listens on https://127.0.0.1:${port} (connection refused).`,
  );
});

test("a visitor who leaves in the middle of a handshake leaves no connection", async () => {
  const mute = await useServer(() => {});
  const upstream = createUpstream(verified(mute.port, "127.0.0.1"));
  onTestFinished(() => upstream.close());
  const { visitor, channel } = await useChannel();
  const result = new Promise<JoinResult>((resolve) =>
    upstream.serve(channel, undefined, resolve),
  );
  visitor.write("GET");
  await expect.poll(() => mute.sockets[0]?.bytesRead).toBeGreaterThan(0);
  visitor.resetAndDestroy();
  expect(await result).toMatchObject({ error: expect.any(Error) });
  await readAll(mute.sockets[0]!);
});

function verified(port: number, host = "localhost") {
  return { kind: "tls", host, port, verify: true } as const;
}

async function certify(name: string, san: string, days: number) {
  await openssl(
    folder,
    ...`req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ${name}.key -out ${name}.csr -subj /CN=local`.split(
      " ",
    ),
  );
  await writeFile(inFolder(`${name}.ext`), `subjectAltName=${san}\n`);
  await openssl(
    folder,
    ...`x509 -req -in ${name}.csr -CA ca.pem -CAkey ca.key -CAcreateserial -out ${name}.pem -days ${days} -extfile ${name}.ext`.split(
      " ",
    ),
  );
}

/** Answers "hello" to the first bytes, or to the end of what it is told. */
async function useTlsServer(certificate: string, allowHalfOpen = false) {
  const seen: { servername: string | false; alpn: string | false | null }[] =
    [];
  const server = tls.createServer(
    {
      cert: readFileSync(inFolder(`${certificate}.pem`)),
      key: readFileSync(inFolder(`${certificate}.key`)),
      ALPNProtocols: ["h2", "http/1.1"],
      allowHalfOpen,
    },
    (socket) => {
      seen.push({
        // Missing in the types of this class.
        servername: (socket as unknown as { servername: string | false })
          .servername,
        alpn: socket.alpnProtocol,
      });
      socket.on("error", () => {});
      if (allowHalfOpen) void readAll(socket).then(() => socket.end("hello"));
      else socket.once("data", () => socket.end("hello"));
    },
  );
  let open = 0;
  server.on("connection", (socket: net.Socket) => {
    open++;
    socket.on("close", () => open--);
  });
  server.on("tlsClientError", () => {});
  server.listen(0);
  await once(server, "listening");
  onTestFinished(() => new Promise((resolve) => server.close(() => resolve())));
  const { port } = server.address() as net.AddressInfo;
  return { port, seen, open: () => open };
}

async function ask(spec: UpstreamSpec, ca?: string) {
  const upstream = createUpstream(spec, {
    ca: ca === undefined ? undefined : inFolder(ca),
  });
  onTestFinished(() => upstream.close());
  const states: unknown[] = [];
  upstream.onStateChange((state, reason) => states.push([state, reason]));
  const { visitor, channel } = await useChannel();
  const result = new Promise<JoinResult>((resolve) =>
    upstream.serve(channel, undefined, resolve),
  );
  visitor.end("quest");
  const answer = (await readAll(visitor)).toString();
  return { answer, result: await result, states };
}
