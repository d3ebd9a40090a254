// Slow visitors, as slowhttptest makes them, in a process of their own: `node slow-attacker.mjs '{ "kind", "connections", … }'`.
// `headers` never ends its head, `body` never ends its body, `read` asks for much and reads nothing, `idle` says nothing,
// `hold` asks for what is never answered.
// Prints `attacking` when every connection was tried, and on each line of its stdin what has become of them, as JSON.
import { connect } from "node:net";

const task = JSON.parse(process.argv[2]);
const { kind, connections, port, host, addresses, perSecond, dripMs } = task;
const firstBytes = {
  headers: `GET / HTTP/1.1\r\nHost: ${host}\r\n`,
  body: `POST / HTTP/1.1\r\nHost: ${host}\r\nContent-Length: 1000000\r\n\r\n`,
  read: `GET /big HTTP/1.1\r\nHost: ${host}\r\n\r\n`,
  idle: "",
  hold: `GET /hold HTTP/1.1\r\nHost: ${host}\r\n\r\n`,
}[kind];
const drip = { headers: "X-a: b\r\n", body: "x" }[kind] ?? "";

const open = new Set();
const statuses = {};
const failures = {};
let closed = 0;

for (let started = 0; started < connections;) {
  const batch = Math.min(connections - started, Math.ceil(perSecond / 20));
  for (let i = 0; i < batch; i++) attack(started++);
  await new Promise((resolve) => setTimeout(resolve, 50));
}
process.stdout.write("attacking\n");
if (drip !== "")
  setInterval(() => {
    for (const socket of open) if (socket.writable) socket.write(drip);
  }, dripMs);

process.stdin.on("data", () => {
  const report = { open: open.size, closed, statuses, failures };
  process.stdout.write(`report ${JSON.stringify(report)}\n`);
});
process.stdin.on("end", () => process.exit());

function attack(index) {
  const socket = connect({
    port,
    host: "127.0.0.1",
    localAddress: addresses[index % addresses.length],
  });
  socket.on("connect", () => {
    open.add(socket);
    if (firstBytes !== "") socket.write(firstBytes);
  });
  socket.on("error", (error) => {
    failures[error.code] = (failures[error.code] ?? 0) + 1;
  });
  socket.on("close", () => {
    open.delete(socket);
    closed++;
  });
  // A reader of nothing gets what fits into the kernel's buffers and one piece on top.
  if (kind === "read") return;
  socket.on("data", (chunk) => {
    const status = /^HTTP\/1\.1 (\d+)/.exec(chunk.toString("latin1"))?.[1];
    if (status) statuses[status] = (statuses[status] ?? 0) + 1;
  });
}
