// The inspector of a client that a test has started: found as the command line finds it, by its run file.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { RunningProgram } from "./processes.ts";

/** An inspector, and how to ask it. */
export interface TestInspector {
  readonly url: string;
  readonly port: number;
  readonly token: string;
  /** A fetch() that bears the token. */
  fetch(path: string, init?: RequestInit): Promise<Response>;
  json<T>(path: string, init?: RequestInit): Promise<T>;
  /** Sends JSON. */
  post(path: string, body: unknown): Promise<Response>;
}

/** Waits until a client that was started with `--json` or without says where its inspector is. */
export async function findInspector(
  program: RunningProgram,
  home: string,
): Promise<TestInspector> {
  const [, url = ""] = await program.waitFor(
    /(?:"inspecting".*"url":"|inspector: )(http:\/\/127\.0\.0\.1:\d+)/,
  );
  const port = Number(new URL(url).port);
  const folder = join(home, ".local/state/expose/run");
  const file = readdirSync(folder).find((name) =>
    name.endsWith(`-${port}.json`),
  );
  const { token } = JSON.parse(
    readFileSync(join(folder, file ?? "nothing"), "utf8"),
  ) as { token: string };
  const ask = (path: string, init: RequestInit = {}): Promise<Response> =>
    fetch(`${url}${path}`, {
      ...init,
      headers: {
        authorization: `Bearer ${token}`,
        ...(init.headers as Record<string, string> | undefined),
      },
    });
  return {
    url,
    port,
    token,
    fetch: ask,
    json: async <T>(path: string, init?: RequestInit) =>
      (await (await ask(path, init)).json()) as T,
    post: (path, body) =>
      ask(path, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify(body),
      }),
  };
}
