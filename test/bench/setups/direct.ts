// No tunnel: the local service itself, or behind the HTTP servers that people put in front of things.
import { writeFileSync } from "node:fs";
import { freePort } from "../../harness/plain-sshd.ts";
import { stop } from "../../harness/processes.ts";
import type { BenchWorld, Setup } from "../model.ts";
import { findProgram, missingPrograms } from "../programs.ts";
import { tempPath } from "../temp-folder.ts";
import { startNginxProxy, type Daemon } from "./nginx.ts";

/** The visitor calls the local service. */
export const direct: Setup = {
  name: "direct",
  about: "no tunnel and no proxy: the local service itself",
  missing: () => undefined,
  open: async ({ laptop }) => ({
    roles: {},
    connect: async (port) => ({
      target: { address: laptop.address, port, host: "localhost" },
      pids: () => [],
      output: () => "",
      close: async () => {},
    }),
    close: async () => {},
  }),
};

type StartProxy = (
  world: BenchWorld,
  port: number,
  upstreamPort: number,
) => Promise<Daemon>;

const proxy = (name: string, start: StartProxy): Setup => ({
  name,
  about: `${name} in front of the local service, no tunnel`,
  missing: () => missingPrograms(name),
  async open(world) {
    const port = await freePort();
    const daemons: Daemon[] = [];
    return {
      roles: { edge: () => daemons.flatMap((daemon) => daemon.pids()) },
      async connect(upstreamPort) {
        const daemon = await start(world, port, upstreamPort);
        daemons.push(daemon);
        return {
          target: { address: world.edge.address, port, host: "localhost" },
          pids: () => [],
          output: () => "",
          async close() {
            daemons.splice(daemons.indexOf(daemon), 1);
            await daemon.close();
          },
        };
      },
      close: async () => {
        for (const daemon of daemons.splice(0)) await daemon.close();
      },
    };
  },
});

const startHaproxy: StartProxy = async ({ edge }, port, upstreamPort) => {
  const file = tempPath("haproxy.cfg");
  writeFileSync(
    file,
    `global
  maxconn 8000
defaults
  mode http
  timeout connect 10s
  timeout client 60s
  timeout server 60s
  option http-keep-alive
  http-reuse always
  option forwardfor
listen bench
  bind ${edge.address}:${port}
  server origin 127.0.0.1:${upstreamPort}
`,
  );
  const haproxy = edge.start(findProgram("haproxy")!, ["-db", "-f", file]);
  return {
    pids: () => [haproxy.child.pid!],
    close: () => stop(haproxy, "SIGTERM"),
  };
};

const startCaddy: StartProxy = async ({ edge }, port, upstreamPort) => {
  const file = tempPath("Caddyfile");
  writeFileSync(
    file,
    `{
  admin off
  auto_https off
}
http://localhost:${port} {
  bind ${edge.address}
  reverse_proxy 127.0.0.1:${upstreamPort}
}
`,
  );
  const caddy = edge.start(
    findProgram("caddy")!,
    ["run", "--config", file, "--adapter", "caddyfile"],
    { env: { ...process.env, HOME: tempPath("caddy-home") } },
  );
  await caddy.waitFor(/serving initial configuration/);
  return {
    pids: () => [caddy.child.pid!],
    close: () => stop(caddy, "SIGTERM"),
  };
};

/** Each of them alone. */
export const proxies: readonly Setup[] = [
  proxy("nginx", ({ edge }, port, upstreamPort) =>
    startNginxProxy(edge, port, upstreamPort),
  ),
  proxy("haproxy", startHaproxy),
  proxy("caddy", startCaddy),
];
