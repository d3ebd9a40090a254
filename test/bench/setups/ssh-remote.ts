// `ssh -R` through a stock sshd: with a session and without (`-N`), bare and with nginx in front.
import { freePort } from "../../harness/plain-sshd.ts";
import { stop } from "../../harness/processes.ts";
import type { BenchWorld, Link, Setup } from "../model.ts";
import { missingPrograms } from "../programs.ts";
import { startNginxProxy } from "./nginx.ts";
import { sshOptions } from "./ssh-key.ts";
import { startStockSshd, type StockSshd } from "./stock-sshd.ts";

interface Variant {
  readonly session: boolean;
  readonly nginx: boolean;
}

const create = (name: string, about: string, variant: Variant): Setup => ({
  name,
  about,
  missing: () =>
    missingPrograms("ssh", "sshd", ...(variant.nginx ? ["nginx"] : [])),
  async open(world) {
    const sshd = await startStockSshd(world.edge);
    const remotePort = await freePort();
    const publicPort = variant.nginx ? await freePort() : remotePort;
    const nginx = variant.nginx
      ? await startNginxProxy(world.edge, publicPort, remotePort)
      : undefined;
    return {
      roles: { sshd: sshd.pids, ...(nginx ? { edge: nginx.pids } : {}) },
      connect: async (port) =>
        startSsh({ world, sshd, variant, remotePort, publicPort, port }),
      async connectMany(port, count) {
        const links: Link[] = [];
        for (let n = 0; n < count; n++) {
          const ownPort = await freePort();
          links.push(
            startSsh({
              ...{ world, sshd, variant, port },
              ...{ remotePort: ownPort, publicPort: ownPort },
            }),
          );
        }
        return {
          target: links[0]!.target,
          targets: links.map(({ target }) => target),
          pids: () => links.flatMap((link) => link.pids()),
          output: () => links.map((link) => link.output()).join(""),
          close: async () => {
            for (const link of links) await link.close();
          },
        };
      },
      async close() {
        await nginx?.close();
        await sshd.close();
      },
    };
  },
});

interface Start {
  readonly world: BenchWorld;
  readonly sshd: StockSshd;
  readonly variant: Variant;
  readonly remotePort: number;
  readonly publicPort: number;
  /** Of the local service. */
  readonly port: number;
}

function startSsh(start: Start): Link {
  const { world, sshd, variant } = start;
  const ssh = world.laptop.start("ssh", [
    ...sshOptions(sshd.key, sshd.port),
    ...["-R", `127.0.0.1:${start.remotePort}:127.0.0.1:${start.port}`],
    ...(variant.session ? [] : ["-N"]),
    `${sshd.account}@${world.edge.address}`,
    ...(variant.session ? ["exec sleep 100000"] : []),
  ]);
  return {
    target: {
      address: variant.nginx ? world.edge.address : "127.0.0.1",
      port: start.publicPort,
      host: "localhost",
    },
    pids: () => [ssh.child.pid!],
    output: () => ssh.stderr,
    close: () => stop(ssh),
  };
}

/** The four of them. */
export const sshRemote: readonly Setup[] = [
  create("ssh", "`ssh -R` with a session open: OpenSSH at its best", {
    session: true,
    nginx: false,
  }),
  create("ssh-N", "`ssh -N -R`: what people type", {
    session: false,
    nginx: false,
  }),
  create("nginx+ssh", "nginx in front of `ssh -R` with a session", {
    session: true,
    nginx: true,
  }),
  create("nginx+ssh-N", "nginx in front of `ssh -N -R`", {
    session: false,
    nginx: true,
  }),
];
