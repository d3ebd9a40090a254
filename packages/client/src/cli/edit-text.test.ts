import { expect, test } from "vitest";
import type { CapturedRequest } from "@expose/protocol";
import { readEditText, writeEditText } from "./edit-text.ts";

const request: CapturedRequest = {
  method: "POST",
  target: "/hook?a=1",
  version: "1.1",
  headers: [
    ["Host", "shop.example.com"],
    ["X-Empty", ""],
    ["X-Colons", "a: b: c"],
    ["Content-Length", "7"],
  ],
  trailers: [],
  body: { bytes: 7, keptBytes: 7, framing: "length" },
};
const editable = (bodyText: string | undefined, decoded = false) => ({
  request,
  bodyText,
  decoded,
});
const base64 = (text: string): string => Buffer.from(text).toString("base64");

test("the text is a request with what there is to know about it", () => {
  expect(writeEditText(editable('{"a":1}'))).toBe(
    [
      "# Save and close to send this request; leave nothing to send nothing.",
      "# Content-Length is made right, whatever it says.",
      "POST /hook?a=1",
      "Host: shop.example.com",
      "X-Empty: ",
      "X-Colons: a: b: c",
      "Content-Length: 7",
      "",
      '{"a":1}',
    ].join("\n"),
  );
});

test.each([
  ['{"a":1}', false],
  ["line\nline\n", false],
  ["line\r\nline\r\n\r\n", false],
  ["\n\nbegins with empty lines", false],
  ["# looks like a comment", false],
  ["", false],
  [undefined, false],
  ["was coded", true],
])("nothing changed in %j means nothing is sent anew", (body, decoded) => {
  const original = editable(body, decoded);
  const text = writeEditText(original);
  expect(readEditText(text, original)).toEqual({});
  // Editors end a file with a line break.
  expect(readEditText(`${text}\n`, original)).toEqual({});
});

test("only what was changed is sent anew", () => {
  const original = editable('{"a":1}');
  const text = writeEditText(original);
  expect(readEditText(text.replace("POST", "PUT"), original)).toEqual({
    method: "PUT",
  });
  expect(readEditText(text.replace("?a=1", ""), original)).toEqual({
    target: "/hook",
  });
  expect(readEditText(`${text.replace(":1", ":2")}\n`, original)).toEqual({
    body: base64('{"a":2}'),
  });
  expect(
    readEditText(text.replace("X-Empty: \n", "x-new:  y \n"), original),
  ).toEqual({
    headers: [
      ["Host", "shop.example.com"],
      ["x-new", "y"],
      ["X-Colons", "a: b: c"],
      ["Content-Length", "7"],
    ],
  });
});

test("a body that was coded is sent as the text that it is now", () => {
  const coded = {
    ...editable("old", true),
    request: {
      ...request,
      headers: [
        ["content-encoding", "gzip"],
        ["Host", "a"],
      ] as const,
    },
  };
  const text = writeEditText(coded).replace(/old$/, "new");
  expect(readEditText(text, coded)).toEqual({
    headers: [["Host", "a"]],
    body: base64("new"),
  });
});

test("a body that ended with a line break keeps it", () => {
  const original = editable("one\n");
  const text = writeEditText(original).replace("one", "two");
  expect(readEditText(text, original)).toEqual({ body: base64("two\n") });
});

test("lines of comment in front may go, and the version may stand there", () => {
  const original = editable("b");
  expect(
    readEditText("\n# mine\nGET /x HTTP/1.1\r\nA: b\r\n\r\nb", original),
  ).toEqual({ method: "GET", target: "/x", headers: [["A", "b"]] });
});

test.each(["", "\n\n", "# Save and close\n", "# a\n\n\n"])(
  "%j leaves nothing to send",
  (text) => {
    expect(readEditText(text, editable("b"))).toBeUndefined();
  },
);

test.each([
  ["GET", "Line 1 of the edited request: expected a method and a target"],
  ["GET /a b c", "Line 1 "],
  ["# x\nGET /\nno header", "Line 3 of the edited request: expected a header"],
  ["GET /\n: x", "Line 2 "],
])("%j is refused with its line", (text, message) => {
  expect(() => readEditText(text, editable("b"))).toThrow(message);
});
