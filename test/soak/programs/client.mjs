// A client in a process of its own, so that it can be killed and measured: `node client.mjs '[{ session, tunnels }]'` opens
// each session with its tunnels (TunnelOptions) and prints `open`. It stays until it is killed or its stdin ends.
import { openSession } from "@expose/client";

const sessions = JSON.parse(process.argv[2] ?? "[]");
await Promise.all(
  sessions.map(async ({ session, tunnels }) => {
    const opened = await openSession({ watchRequests: false, ...session });
    await Promise.all(tunnels.map((tunnel) => opened.open(tunnel)));
  }),
);
process.stdout.write("open\n");
