import { expect, test } from "vitest";
import { ExposeError } from "../errors.ts";
import { checkWantedHost, resolveWantedName } from "./tunnel-name.ts";

test.each([
  [{}, {}],
  [{ subdomain: "shop" }, { name: "shop" }],
  [{ url: "shop" }, { name: "shop" }],
  [
    { url: "https://shop.tunnel.example.com" },
    { name: "shop", host: "shop.tunnel.example.com" },
  ],
  [
    { url: "http://Shop.Tunnel.example.com:8080/" },
    { name: "shop", host: "shop.tunnel.example.com" },
  ],
  [
    { domain: "shop.tunnel.example.com." },
    { name: "shop", host: "shop.tunnel.example.com" },
  ],
])("%j asks for %j", (flags, wanted) => {
  expect(resolveWantedName(flags)).toEqual(wanted);
});

test.each([
  ["", "must not be empty"],
  ["Shop", 'try "shop"'],
  ["my.shop", "without dots"],
  ["xn--caf-dma", "punycode"],
  ["a".repeat(64), "at most 63"],
  ["-shop", "neither begins nor ends with a hyphen"],
  ["my_shop", "letters a to z, digits and hyphens only"],
])(
  "the name %j is refused before anything is asked of a server",
  (name, why) => {
    const error = errorOf(() => resolveWantedName({ subdomain: name }));
    expect(error.code).toBe("name-refused");
    expect(error.message).toContain(why);
  },
);

test.each([
  "tcp://shop.example.com",
  "https://shop.example.com/path",
  "a b",
  "",
])("--url %j is refused", (url) => {
  expect(errorOf(() => resolveWantedName({ url })).code).toBe("usage-invalid");
});

test.each([
  [{ url: "shop.tunnel.example.com" }, "https://*.tunnel.example.com"],
  [{ url: "shop.tunnel.example.com" }, "https://*.Tunnel.Example.com:8443"],
  [{ subdomain: "shop" }, "https://*.elsewhere.example"],
  [{}, "https://*.elsewhere.example"],
])("%j is what an edge that serves %s can give", (flags, urlPattern) => {
  expect(() =>
    checkWantedHost(resolveWantedName(flags), urlPattern),
  ).not.toThrow();
});

test.each([
  "shop.example.com",
  "shop.eu.tunnel.example.com",
  "tunnel.example.com",
])("the host %s is not under *.tunnel.example.com", (domain) => {
  const error = errorOf(() =>
    checkWantedHost(
      resolveWantedName({ domain }),
      "https://*.tunnel.example.com",
    ),
  );
  expect(error.code).toBe("name-refused");
  expect(error.message).toContain("serves https://*.tunnel.example.com");
});

function errorOf(act: () => unknown): ExposeError {
  try {
    act();
  } catch (error) {
    if (error instanceof ExposeError) return error;
    throw error;
  }
  throw new Error("Nothing was thrown.");
}
