// A server of this process gets a public URL, and tells what is asked of it.
// The server is EXPOSE_SERVER or the one that `expose login` wrote down.
import { once } from "node:events";
import { createServer } from "node:http";
import { expose } from "@expose/client";

const server = createServer((request, response) => {
  response.end(`hello ${request.url}\n`);
});
server.listen(0, "127.0.0.1");
await once(server, "listening");

const tunnel = await expose({ port: server.address().port });
console.log(tunnel.url);

tunnel.on("request", ({ method, path, status, durationMs }) => {
  console.log(`${method} ${path} ${status} ${durationMs} ms`);
});
tunnel.on("reconnecting", ({ delayMs, error }) => {
  console.log(`${error.message} Trying again in ${delayMs} ms.`);
});

process.once("SIGINT", async () => {
  await tunnel.close();
  server.close();
});
