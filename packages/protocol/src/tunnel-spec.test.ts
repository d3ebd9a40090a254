// How the address of a local service is read and given back.
import fc from "fast-check";
import { expect, test } from "vitest";
import {
  formatUpstreamSpec,
  parseUpstreamSpec,
  UpstreamSpecError,
  type UpstreamSpec,
} from "./tunnel-spec.ts";

const tcp = (host: string, port: number): UpstreamSpec => ({
  kind: "tcp",
  host,
  port,
});
const tls = (host: string, port: number, verify = true): UpstreamSpec => ({
  kind: "tls",
  host,
  port,
  verify,
});
const folder = (path: string): UpstreamSpec => ({ kind: "folder", path });

test.each<[string, UpstreamSpec]>([
  ["8080", tcp("localhost", 8080)],
  ["65535", tcp("localhost", 65_535)],
  ["443", tls("localhost", 443)],
  ["localhost:8080", tcp("localhost", 8080)],
  ["example.com:443", tls("example.com", 443)],
  ["127.0.0.1:80", tcp("127.0.0.1", 80)],
  ["[::1]:8080", tcp("::1", 8080)],
  ["my_service.local:3000", tcp("my_service.local", 3000)],
  ["http://localhost", tcp("localhost", 80)],
  ["http://localhost:3000/", tcp("localhost", 3000)],
  ["HTTP://localhost:3000", tcp("localhost", 3000)],
  ["http://[::1]:443", tcp("::1", 443)],
  ["https://localhost", tls("localhost", 443)],
  ["https://localhost:8443", tls("localhost", 8443)],
  ["https+insecure://localhost:8443", tls("localhost", 8443, false)],
  ["unix:/run/app.sock", { kind: "unix", path: "/run/app.sock" }],
  ["unix:///run/app.sock", { kind: "unix", path: "/run/app.sock" }],
  ["unix://run/app.sock", { kind: "unix", path: "/run/app.sock" }],
  ["./dist", folder("./dist")],
  ["../dist", folder("../dist")],
  ["/srv/www", folder("/srv/www")],
  ["~/site", folder("~/site")],
  [".", folder(".")],
  ["..", folder("..")],
  ["~", folder("~")],
  ["file:///srv/www", folder("/srv/www")],
  ["file://localhost/srv/www", folder("/srv/www")],
  ["file:///srv/my%20site", folder("/srv/my site")],
  ["file://dist", folder("./dist")],
])("reads %j", (text, spec) => {
  expect(parseUpstreamSpec(text)).toEqual(spec);
});

test.each([
  ["", /expected a port/],
  ["0", /from 1 to 65535/],
  ["65536", /from 1 to 65535/],
  ["99999999999999999999", /from 1 to 65535/],
  ["-1", /expected a port/],
  ["80 80", /expected a port/],
  ["8080\n", /expected a port/],
  ["localhost", /expected a port/],
  ["localhost:", /expected a port/],
  ["localhost:http", /expected a port/],
  ["user@host:80", /expected a port/],
  ["::1:8080", /expected a port/],
  ["[::1::2]:80", /no IPv6 address/],
  ["http://[:::]:80", /no IPv6 address/],
  ["http://", /expected a port/],
  ["http://user:secret@localhost:80", /expected a port/],
  ["http://localhost:80/path", /leave the path "\/path" away/],
  ["http://localhost?x", /expected a port/],
  ["https://localhost:0", /from 1 to 65535/],
  ["ftp://localhost", /expected a port/],
  ["unix:", /must be absolute/],
  ["unix:app.sock", /must be absolute/],
  ["unix:/run/a\0b", /must be absolute/],
  ["./a\0b", /expected a port/],
  ["file://", /path of a folder/],
  ["file:///100%", /path of a folder/],
  ["file:///a%00b", /path of a folder/],
  ["dist", /expected a port/],
])("refuses %j and says what it expects", (text, message) => {
  expect(() => parseUpstreamSpec(text)).toThrow(UpstreamSpecError);
  expect(() => parseUpstreamSpec(text)).toThrow(message);
});

test("quotes the value that it refuses", () => {
  expect(() => parseUpstreamSpec("80800")).toThrow(/^"80800": /);
});

test("gives a spec back as text that reads as the same spec", () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.stringMatching(/^(localhost|[a-z]{1,9}|\[::1\]):[1-9]\d{0,3}$/),
        fc.stringMatching(
          /^(http|https|https\+insecure):\/\/[a-z]{1,5}(:(80|443|8443))?$/,
        ),
        fc.stringMatching(/^(unix:|file:\/\/)?[.~]{0,2}\/[a-z%/ 0-9]{1,20}$/),
      ),
      (text) => {
        let spec: UpstreamSpec;
        try {
          spec = parseUpstreamSpec(text);
        } catch (error) {
          expect(error).toBeInstanceOf(UpstreamSpecError);
          return;
        }
        expect(parseUpstreamSpec(formatUpstreamSpec(spec))).toEqual(spec);
      },
    ),
  );
});

test("says http:// where a bare port 443 would mean TLS", () => {
  expect(formatUpstreamSpec(tcp("localhost", 443))).toBe(
    "http://localhost:443",
  );
  expect(formatUpstreamSpec(tcp("::1", 80))).toBe("[::1]:80");
  expect(formatUpstreamSpec(tls("localhost", 8443, false))).toBe(
    "https+insecure://localhost:8443",
  );
  expect(formatUpstreamSpec(folder("dist"))).toBe("./dist");
});

test("reads any text or says that it cannot", () => {
  fc.assert(
    fc.property(anyText(), (text) => {
      try {
        parseUpstreamSpec(text);
      } catch (error) {
        expect(error).toBeInstanceOf(UpstreamSpecError);
      }
    }),
  );
});

/** Any code units, lone surrogates among them; fast-check's own unit "binary" takes a second to begin. */
const anyText = (maxLength = 30) =>
  fc
    .array(fc.integer({ min: 0, max: 0xffff }), { maxLength })
    .map((units) => String.fromCharCode(...units));
