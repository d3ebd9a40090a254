// What visitors and upstreams send arrives as it was sent: bodies, paths, headers, and what is signed over them.
// All 10,000 bodies: `npm run soak -- bytes`.
import { createServer } from "node:http";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import {
  afterAll,
  beforeAll,
  describe,
  expect,
  it,
  onTestFinished,
} from "vitest";
import { describeIngress, startWorld, type World } from "../harness/worlds.ts";
import { visit } from "../harness/visit.ts";
import { runBytes } from "../soak/bytes.ts";
import {
  exchange,
  oddFields,
  oddTarget,
  withoutOurs,
  writeHead,
} from "../soak/heads.ts";
import { createChoices } from "../soak/random.ts";
import { startRawOrigin } from "../soak/raw-origin.ts";
import { webhookSchemes, type Delivery } from "../soak/webhooks.ts";
import type { ParsedRequest } from "./strict-parser.ts";

const SEED = 1;

describeIngress("bytes", (ingress) => {
  let world: World;
  beforeAll(async () => {
    world = await startWorld(ingress);
  });
  afterAll(() => world.stop());

  it("of random bodies arrive unchanged, up and down, in every framing", async () => {
    const { bodies, problems } = await runBytes(world, {
      seed: SEED,
      count: 80,
    });
    expect(problems).toEqual([]);
    expect(bodies).toBe(80);
  }, 120_000);

  it("of odd paths and of duplicate, oddly cased headers arrive unchanged and in order, both ways", async () => {
    const answers = new Map<string, string>();
    const arrived = new Map<string, ParsedRequest>();
    const origin = await startRawOrigin((request) => {
      const mark = request.headers.find(([name]) => name === "X-Mark")![1];
      arrived.set(mark, request);
      return answers.get(mark)!;
    });
    onTestFinished(() => origin.close());
    const tunnel = await world.expose({ port: origin.port, name: "odd" });
    onTestFinished(() => tunnel.close());
    const { host } = new URL(tunnel.url);

    for (let i = 0; i < 300; i++) {
      const choices = createChoices(SEED, i, 2);
      const target = oddTarget(choices);
      const sent = oddFields(choices);
      sent.splice(
        choices.below(sent.length + 1),
        0,
        ["HOST", host],
        ["X-Mark", String(i)],
      );
      const answered = oddFields(choices);
      const status = `HTTP/1.1 ${choices.pick([200, 203, 404, 500])} ${choices.pick(["OK", "", "caf\xe9 (x)"])}`;
      answers.set(
        String(i),
        writeHead(status, [...answered, ["Content-Length", "0"]]),
      );
      const answer = await exchange(
        world.httpPort,
        writeHead(`GET ${target} HTTP/1.1`, [...sent, ["Connection", "close"]]),
      );
      const request = arrived.get(String(i));
      expect(request?.target, `request ${i}: ${answer}`).toBe(target);
      expect(withoutOurs(request!)).toEqual(sent);
      expect(answer).toBe(
        writeHead(status, [
          ...answered,
          ["Content-Length", "0"],
          ["Connection", "close"],
        ]),
      );
    }
  });

  it.each(["GET", "POST"])(
    "above ASCII arrive unchanged in the path of a plain %s",
    async (method) => {
      const arrived: ParsedRequest[] = [];
      const origin = await startRawOrigin((request) => {
        arrived.push(request);
        return writeHead("HTTP/1.1 200 OK", [["Content-Length", "0"]]);
      });
      onTestFinished(() => origin.close());
      const name = `raw-${method.toLowerCase()}`;
      const tunnel = await world.expose({ port: origin.port, name });
      onTestFinished(() => tunnel.close());
      const { host } = new URL(tunnel.url);
      const all = Array.from({ length: 128 }, (_, i) =>
        String.fromCharCode(128 + i),
      ).join("");
      const targets = ["/caf\xc3\xa9", "/\xff", "/?q=\xe9", `/${all}`];
      for (const target of targets)
        expect(
          await exchange(
            world.httpPort,
            writeHead(`${method} ${target} HTTP/1.1`, [
              ["Host", host],
              ["Connection", "close"],
            ]),
          ),
        ).toMatch(/^HTTP\/1\.1 200 /);
      expect(arrived.map(({ target }) => target)).toEqual(targets);
    },
  );

  it.each([
    ["HTTP/1.0", []],
    ["HTTP/1.1", [["Transfer-Encoding", "chunked"]]],
  ] as const)(
    "above ASCII are refused in the path of any other request, rather than changed: %s %j",
    async (version, fields) => {
      const { host } = new URL(world.urlOf("nobody"));
      const answer = await exchange(
        world.httpPort,
        writeHead(`POST /caf\xc3\xa9 ${version}`, [["Host", host], ...fields]),
      );
      expect(answer).toMatch(/^HTTP\/1\.1 400 /);
      expect(answer).toContain("[request-invalid]");
    },
  );

  it.each(webhookSchemes)(
    "that $name has signed verify at the upstream",
    async ({ sign, verify }) => {
      const secret = `whsec_${Buffer.from("a secret of 24 bytes ok!").toString("base64")}`;
      let seen = 0;
      const server = createServer((request, response) => {
        const chunks: Buffer[] = [];
        request.on("data", (chunk: Buffer) => chunks.push(chunk));
        request.on("end", () => {
          seen++;
          const body = Buffer.concat(chunks);
          response.end(String(verify(request.headers, body, secret)));
        });
      });
      server.listen(0, "127.0.0.1");
      await once(server, "listening");
      onTestFinished(() => {
        server.closeAllConnections();
        server.close();
      });
      const tunnel = await world.expose({
        port: (server.address() as AddressInfo).port,
        name: "hooks",
      });
      onTestFinished(() => tunnel.close());
      for (let i = 0; i < 40; i++) {
        const delivery = webhook(i, secret);
        const answer = await visit(tunnel.url, "/hook", {
          method: "POST",
          headers: {
            ...sign(delivery),
            "content-type": "application/json",
            ...(i % 2
              ? { "content-length": String(delivery.body.length) }
              : { "transfer-encoding": "chunked" }),
          },
          body: delivery.body,
        });
        expect(answer.text, `delivery ${i}`).toBe("true");
      }
      expect(seen).toBe(40);
    },
  );
});

describe("the schemes", () => {
  it.each([
    [
      "GitHub",
      {
        secret: "It's a Secret to Everybody",
        body: "Hello, World!",
        id: "",
        timestamp: 0,
      },
      "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17",
    ],
    [
      "Standard Webhooks",
      {
        secret: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        body: '{"test": 2432232314}',
        id: "msg_p5jXN8AQM9LWM0D4loKWxJek",
        timestamp: 1_614_265_330,
      },
      "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    ],
  ])("sign as %s has published", (name, delivery, signature) => {
    const scheme = webhookSchemes.find((one) => one.name === name)!;
    const headers = scheme.sign({
      ...delivery,
      body: Buffer.from(delivery.body),
    });
    expect(Object.values(headers)).toContain(signature);
  });

  it.each(webhookSchemes)(
    "of $name do not verify a body with one bit changed",
    ({ sign, verify }) => {
      const delivery = webhook(7, "whsec_c2VjcmV0");
      const headers = Object.fromEntries(
        Object.entries(sign(delivery)).map(([name, value]) => [
          name.toLowerCase(),
          value,
        ]),
      );
      expect(verify(headers, delivery.body, delivery.secret)).toBe(true);
      delivery.body[delivery.body.length >> 1]! ^= 1;
      expect(verify(headers, delivery.body, delivery.secret)).toBe(false);
    },
  );
});

// JSON that any reader who parses and writes it anew would change: white space, escapes, bare and escaped Unicode,
// numbers that lose digits, duplicate keys, CRLF, and now and then bytes that are no text at all.
function webhook(index: number, secret: string): Delivery {
  const choices = createChoices(SEED, index, 3);
  const parts = Array.from({ length: 1 + choices.logUniform(2_000) }, () =>
    choices.pick([
      ' "a" :1.0 ',
      '"\\u00e9\\/":"é€𝄞"',
      '"a":12345678901234567890',
      '"b":\r\n\t1e2',
      '"":"\\ud834\\udd1e"',
    ]),
  );
  const text = Buffer.from(`{${parts.join(",")}}\n`);
  const noText = Buffer.from([0, 0xff, 0xfe, 0x80, 13, 10]);
  return {
    secret,
    body: choices.oneIn(5) ? Buffer.concat([text, noText]) : text,
    id: `msg_${index}`,
    timestamp: 1_700_000_000 + index,
  };
}
