import { createServer, type Server } from "node:net";
import { expect, it, onTestFinished } from "vitest";
import { listen } from "./listen.ts";

it("gives the port that the system chose", async () => {
  const address = await listen(
    useServer(),
    { host: "127.0.0.1", port: 0 },
    "tests",
    "listen",
  );
  expect(address.host).toBe("127.0.0.1");
  expect(address.port).toBeGreaterThan(0);
});

it("says that an address is taken, for what, and what to do", async () => {
  const { port } = await listen(
    useServer(),
    { host: "127.0.0.1", port: 0 },
    "tests",
    "listen",
  );
  await expect(
    listen(
      useServer(),
      { host: "127.0.0.1", port },
      "visitors' HTTP",
      "listen",
    ),
  ).rejects.toMatchObject({
    code: "listen-failed",
    exitStatus: 4,
    message: `Cannot listen on 127.0.0.1:${port} for visitors' HTTP: another process listens there (\`ss -ltnp\` shows which). Change listen, or free the address.`,
  });
});

it("says that the machine does not have an address", async () => {
  await expect(
    listen(useServer(), { host: "192.0.2.1", port: 0 }, "tests", "listen"),
  ).rejects.toThrow("this machine has no such address");
});

function useServer(): Server {
  const server = createServer();
  onTestFinished(() => void server.close());
  return server;
}
