// Two tunnels over one SSH session: a folder and a port, ended together by an AbortSignal.
// The server is EXPOSE_SERVER or the one that `expose login` wrote down.
import { ExposeError, openSession } from "@expose/client";

const stop = new AbortController();
process.once("SIGINT", () => stop.abort());

try {
  const session = await openSession({ signal: stop.signal });
  const site = await session.open({ upstream: import.meta.dirname });
  const api = await session.open({ port: 3000, hostHeader: "rewrite" });
  console.log(`${site.upstream}: ${site.url}`);
  console.log(`${api.upstream}: ${api.url}`);
  // Connections that are lost are opened again for ever; this rejects when that cannot help.
  await session.closed;
} catch (error) {
  // Codes are stable, texts are not: docs/errors.md explains each.
  if (!(error instanceof ExposeError)) throw error;
  console.error(`${error.code}: ${error.message}`);
  process.exitCode = error.exitStatus;
}
