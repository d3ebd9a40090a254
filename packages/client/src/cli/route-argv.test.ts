import { expect, test } from "vitest";
import { ExposeError } from "../errors.ts";
import { routeArgv } from "./route-argv.ts";

test.each([
  [["8080"], ["http", "8080"]],
  [
    ["./dist", "--qr"],
    ["http", "./dist", "--qr"],
  ],
  [["localhost:3000"], ["http", "localhost:3000"]],
  [
    ["-s", "shop", "8080"],
    ["http", "-s", "shop", "8080"],
  ],
  [
    ["--subdomain=shop", "8080"],
    ["http", "--subdomain=shop", "8080"],
  ],
  [
    ["--json", "https://a:1"],
    ["http", "--json", "https://a:1"],
  ],
  [["80a80"], ["http", "80a80"]],
  [
    ["--subdomain", "shop"],
    ["http", "--subdomain", "shop"],
  ],
  [
    ["http", "8080"],
    ["http", "8080"],
  ],
  [
    ["exec", "--", "uname"],
    ["exec", "--", "uname"],
  ],
  [["--help"], ["--help"]],
  [["-V"], ["-V"]],
  [
    ["help", "exec"],
    ["help", "exec"],
  ],
])("%j is read as %j", (argv, routed) => {
  expect(routeArgv(argv)).toEqual(routed);
});

test("a value of an option is not taken for the target", () => {
  expect(routeArgv(["--server", "doctor", "8080"])).toEqual([
    "http",
    "--server",
    "doctor",
    "8080",
  ]);
});

test.each([
  ["strat", "start"],
  ["docter", "doctor"],
  ["htpp", "http"],
  ["lgoin", "login"],
  ["exce", "exec"],
])("the mistyped command %s gets the suggestion %s", (typed, meant) => {
  expect(messageOf([typed])).toContain(`Did you mean \`expose ${meant}\`?`);
  expect(messageOf(["help", typed])).toContain(`\`expose ${meant}\``);
});

test("a word far from every command gets no suggestion", () => {
  expect(messageOf(["frobnicate"])).not.toContain("Did you mean");
});

function messageOf(argv: string[]): string {
  try {
    routeArgv(argv);
  } catch (error) {
    if (error instanceof ExposeError) {
      expect(error.code).toBe("usage-invalid");
      return error.message;
    }
    throw error;
  }
  throw new Error(`${argv.join(" ")} was accepted`);
}
