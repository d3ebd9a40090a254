// nginx with a configuration of its own: as origin, and as the HTTP server in front of tunnels that have none.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { stop } from "../../harness/processes.ts";
import type { Place } from "../place.ts";
import { findProgram } from "../programs.ts";
import { tempPath } from "../temp-folder.ts";

/** A running server of others. */
export interface Daemon {
  readonly pids: () => readonly number[];
  close(): Promise<void>;
}

/** The parts of its configuration that differ. */
export interface NginxOptions {
  readonly workers: number | "auto";
  /** Within `http`. */
  readonly http?: string;
  /** Within `server`. */
  readonly server: string;
}

/** Starts nginx; resolves when it listens. */
export async function startNginx(
  place: Place,
  options: NginxOptions,
): Promise<Daemon> {
  const folder = tempPath("nginx");
  mkdirSync(folder);
  const file = join(folder, "nginx.conf");
  writeFileSync(
    file,
    `daemon off; worker_processes ${options.workers}; pid ${folder}/pid; error_log stderr notice;
${process.getuid?.() === 0 ? "user root;" : ""}
worker_rlimit_nofile 16384;
events { worker_connections 8192; }
http {
  access_log off; sendfile on; tcp_nopush on; keepalive_requests 100000000; open_file_cache max=100;
  client_max_body_size 0; default_type application/octet-stream;
  ${["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map((kind) => `${kind}_temp_path ${folder}/${kind};`).join(" ")}
  ${options.http ?? ""}
  server { ${options.server} }
}
`,
  );
  const nginx = place.start(findProgram("nginx")!, [
    ...["-p", folder, "-c", file, "-e", "stderr"],
  ]);
  await nginx.waitFor(/start worker process/);
  return {
    pids: () => [nginx.child.pid!],
    // It is told to end its workers; a killed master would leave them behind.
    close: () => stop(nginx, "SIGTERM"),
  };
}

/** nginx in front of a server on a port of loopback, with connections kept on both sides. */
export const startNginxProxy = (
  place: Place,
  port: number,
  upstreamPort: number,
): Promise<Daemon> =>
  startNginx(place, {
    workers: "auto",
    http: `upstream behind { server 127.0.0.1:${upstreamPort}; keepalive 128; keepalive_requests 100000000; }`,
    server: `listen ${place.address}:${port} backlog=4096;
      location / { proxy_pass http://behind; proxy_http_version 1.1; proxy_set_header Connection "";
        proxy_set_header Host $host; proxy_set_header X-Forwarded-For $remote_addr; }`,
  });
