import { writeFileSync, readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { fingerprintOf } from "./public-key.ts";
import { keygen, useFolder, useKey } from "./ssh-keygen.fixture.ts";
import { parseUsersFile, UsersFileError, type User } from "./users-file.ts";

const parse = (text: string): readonly User[] =>
  parseUsersFile(text, {
    file: "users",
    directPorts: [{ first: 20_000, last: 20_999 }],
  });

function problems(text: string): string[] {
  try {
    parse(text);
  } catch (error) {
    if (error instanceof UsersFileError)
      return error.problems.map(({ line, message }) => `${line}: ${message}`);
    throw error;
  }
  return [];
}

describe("a users file without mistakes", () => {
  it.each([
    ["ed25519", undefined],
    ["rsa", 2048],
    ["ecdsa", 256],
    ["ecdsa", 384],
    ["ecdsa", 521],
  ] as const)(
    "takes a %s key of ssh-keygen and shows its fingerprint",
    (type, bits) => {
      const key = useKey(type, bits);
      const [user] = parse(`${key.publicText} alice`);
      expect(user!.keys[0]!.fingerprint).toBe(key.fingerprint);
      expect(user!.identity).toEqual({
        id: "alice",
        names: undefined,
        maxTunnels: undefined,
        directPorts: [],
      });
    },
  );

  it("takes the keys of security keys, which a stock sshd can verify", () => {
    const { publicText } = useKey();
    const raw = Buffer.from(publicText.split(" ")[1]!, "base64").subarray(-32);
    const blob = fieldsOf("sk-ssh-ed25519@openssh.com", raw, "ssh:");
    const [user] = parse(
      `sk-ssh-ed25519@openssh.com ${blob.toString("base64")} alice`,
    );
    expect(user!.keys[0]!.fingerprint).toBe(fingerprintOf(blob));
  });

  it("reads options, comments, empty lines and Windows line ends", () => {
    const a = useKey();
    const b = useKey();
    const users = parse(
      [
        "# the team",
        "",
        `names="shop,api-*",max-tunnels=5,direct-ports="20000-20002,20010" ${a.publicText} alice@laptop old machine`,
        `  max-tunnels="1",names=""\t${b.publicText}\tbob  `,
      ].join("\r\n"),
    );
    expect(users.map(({ identity }) => identity)).toEqual([
      {
        id: "alice@laptop",
        names: ["shop", "api-*"],
        maxTunnels: 5,
        directPorts: [20_000, 20_001, 20_002, 20_010],
      },
      { id: "bob", names: [], maxTunnels: 1, directPorts: [] },
    ]);
    expect(users[0]!.keys[0]).toMatchObject({
      line: 3,
      comment: "old machine",
    });
  });

  it("makes one identity of several lines that grant the same, whatever their order of options", () => {
    const [a, b] = [useKey(), useKey()];
    const users = parse(
      `names="x",max-tunnels=2 ${a.publicText} alice\nmax-tunnels=2,names="x" ${b.publicText} alice\n`,
    );
    expect(users).toHaveLength(1);
    expect(users[0]!.keys.map(({ line }) => line)).toEqual([1, 2]);
  });
});

describe("a users file with mistakes", () => {
  it("is refused with all of them and their lines", () => {
    const key = useKey();
    expect(
      problems(
        [
          `${key.publicText} alice`,
          "# fine",
          "what is this",
          `${key.publicText} bob`,
          `max-tunels=3 ${useKey().publicText} carol`,
          `${useKey().publicText}`,
        ].join("\n"),
      ),
    ).toEqual([
      '3: expected a key behind the options, not "is"',
      "4: the same key stands in line 1",
      '5: there is no option "max-tunels"; did you mean max-tunnels?',
      "6: nobody owns this key; write the identity behind it, such as alice@laptop",
    ]);
  });

  it.each([
    ['names="Shop"', 'try "shop"'],
    ['names="a_*"', "A pattern has letters"],
    ['names="a,,b"', "must not be empty"],
    ["max-tunnels=0", "a whole number from 1"],
    ["max-tunnels=-1", "a whole number from 1"],
    ["max-tunnels", "needs a value"],
    ["max-tunnels=1,max-tunnels=2", "stands there twice"],
    ['direct-ports="20009-20000"', "lists ports and ranges"],
    [
      'direct-ports="22"',
      "grants 22, which ingress.openssh.direct-ports does not allow",
    ],
    ['direct-ports="20999-21000"', "does not allow"],
    ['command="sh"', "an option of sshd"],
    ["restrict,port-forwarding", "an option of sshd"],
    ["cert-authority", "an option of sshd"],
    ['names="a",', "cannot be read"],
    ['names="a', "expected a key behind the options"],
  ])("is refused for the options %s", (options, message) => {
    const found = problems(`${options} ${useKey().publicText} alice`);
    expect(found).toHaveLength(1);
    expect(found[0]).toContain(message);
  });

  it.each(["al/ice", "..", ".", "-alice", "a$b", "a".repeat(65), "älice"])(
    "is refused for the identity %s",
    (id) => {
      expect(problems(`${useKey().publicText} ${id}`)[0]).toContain(
        "the word behind the key is the identity",
      );
    },
  );

  it("is refused when the lines of one identity grant different things", () => {
    expect(
      problems(
        `${useKey().publicText} alice\nmax-tunnels=2 ${useKey().publicText} alice\n`,
      ),
    ).toEqual([
      "2: alice has other options here than in line 1; lines of one identity must grant the same",
    ]);
  });

  it("is refused for keys that are too weak", () => {
    expect(problems(`${useKey("rsa", 1024).publicText} alice`)[0]).toContain(
      "RSA keys need 2048 bits, this one has 1024",
    );
    expect(problems("ssh-dss AAAAB3NzaC1kc3MAAACBAP alice")[0]).toContain(
      "DSA keys are too weak",
    );
  });

  it("is refused for a certificate", () => {
    const [authority, key] = [useKey(), useKey()];
    keygen("-q", "-s", authority.file, "-I", "id", `${key.file}.pub`);
    expect(
      problems(
        `${readFileSync(`${key.file}-cert.pub`, "utf8").trim()} alice`,
      )[0],
    ).toContain("certificates are not supported");
  });

  it("names a private key that was pasted by mistake once, and quotes nothing of it", () => {
    const key = useKey();
    const found = problems(
      `# mine\n${key.privateText}\n${useKey().publicText}\n`,
    );
    expect(found).toHaveLength(2);
    expect(found[0]).toMatch(/^2: this is a PRIVATE key\. Take it out/);
    expect(found[1]).toContain("nobody owns this key");
  });

  it("quotes nothing of a private key whose first line was left out", () => {
    const lines = useKey().privateText.split("\n").slice(1, -2);
    const found = problems(lines.join("\n"));
    expect(found).toHaveLength(lines.length);
    for (const line of lines)
      expect(found.join("\n")).not.toContain(line.slice(0, 12));
  });

  it("says how to convert a key in another format", () => {
    const key = useKey("rsa", 2048);
    for (const format of ["RFC4716", "PKCS8"])
      expect(
        problems(keygen("-e", "-m", format, "-f", `${key.file}.pub`)),
      ).toEqual([expect.stringContaining("ssh-keygen -i")]);
  });

  it("is refused for a key with any byte missing or added, or of another type", () => {
    const [type, base64] = useKey().publicText.split(" ") as [string, string];
    const blob = Buffer.from(base64, "base64");
    for (let length = 0; length < blob.length; length++)
      expect(
        problems(`${type} ${blob.toString("base64", 0, length) || "="} alice`),
      ).toHaveLength(1);
    const longer = Buffer.concat([blob, Buffer.from([0])]).toString("base64");
    expect(problems(`${type} ${longer} alice`)[0]).toContain("bytes too many");
    expect(problems(`ssh-rsa ${base64} alice`)[0]).toContain("of another type");
    expect(
      problems(`${type} ${base64.slice(0, 20)}*${base64.slice(20)} alice`)[0],
    ).toContain("not base64");
  });

  it("is refused for an ECDSA key whose point is not on its curve", () => {
    const [type, base64] = useKey("ecdsa", 256).publicText.split(" ") as [
      string,
      string,
    ];
    const blob = Buffer.from(base64, "base64");
    blob[blob.length - 1]! ^= 1;
    expect(problems(`${type} ${blob.toString("base64")} alice`)[0]).toContain(
      "not on its curve",
    );
  });
});

it("either takes a text or says what is wrong with it, whatever the text is", () => {
  const { publicText } = useKey();
  const piece = fc.oneof(
    fc.constantFrom(
      publicText,
      "alice",
      "names=",
      '"',
      ",",
      "max-tunnels=3",
      "ssh-rsa",
      "\n",
      "\t",
    ),
    fc.string(),
    fc.string({ unit: "binary" }),
  );
  fc.assert(
    fc.property(fc.array(piece), (pieces) => {
      expect(problems(pieces.join(" "))).toBeInstanceOf(Array);
    }),
    { numRuns: 2_000 },
  );
});

function fieldsOf(...fields: readonly (string | Buffer)[]): Buffer {
  return Buffer.concat(
    fields.flatMap((field) => {
      const bytes = Buffer.from(field as string);
      const length = Buffer.alloc(4);
      length.writeUInt32BE(bytes.length);
      return [length, bytes];
    }),
  );
}

it("agrees with ssh-keygen about which lines of a file are keys", () => {
  const folder = useFolder();
  const file = join(folder, "users");
  const keys = [useKey(), useKey("rsa", 2048), useKey("ecdsa", 521)];
  writeFileSync(
    file,
    keys
      .map(({ publicText }, i) =>
        `names="a b" ${publicText} user${i}`.replace("a b", "a"),
      )
      .join("\n"),
  );
  const listed = keygen("-l", "-f", file)
    .trim()
    .split("\n")
    .map((line) => line.split(" ")[1]);
  expect(
    parse(readFileSync(file, "utf8")).flatMap(({ keys: own }) =>
      own.map(({ fingerprint }) => fingerprint),
    ),
  ).toEqual(listed);
});
