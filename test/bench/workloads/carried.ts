// What all load workloads have in common: a local service, a set-up that leads to it, checked to carry every byte.
import { randomBytes } from "node:crypto";
import { ask, sha256, waitUntilServed } from "../load/ask.ts";
import { startOrigin, type Origin, type OriginKind } from "../load/origin.ts";
import type {
  BenchWorld,
  Link,
  Roles,
  Server,
  Setup,
  Target,
} from "../model.ts";

/** A set-up that carries requests right now. */
export interface Carried {
  readonly target: Target;
  readonly roles: Roles;
  /** Starts another client, with an SSH connection of its own, that leads to the same service. */
  another(name: string): Promise<Target>;
  close(): Promise<void>;
}

const TUNNEL_NAME = "bench";

/** Starts all of it. @throws Error when bytes are changed on the way */
export async function startCarried(
  setup: Setup,
  world: BenchWorld,
  kind: OriginKind,
): Promise<Carried> {
  const opened: { close(): Promise<void> }[] = [];
  const close = async (): Promise<void> => {
    for (const one of opened.splice(0).reverse()) await one.close();
  };
  try {
    const origin = await startOrigin(kind, world.laptop);
    opened.push(origin);
    const server = await setup.open(world);
    opened.push(server);
    const connect = async (name: string): Promise<Link> => {
      const link = await server.connect(origin.port, name);
      opened.push(link);
      await waitUntilServed(link.target).catch((error: unknown) => {
        throw new Error(`${String(error)}\n${link.output()}`);
      });
      return link;
    };
    const link = await connect(TUNNEL_NAME);
    await checkBodies(link.target, origin, kind);
    return {
      ...{ target: link.target, roles: rolesOf(origin, server, link), close },
      another: async (name) => (await connect(name)).target,
    };
  } catch (error) {
    await close();
    throw new Error(`${setup.name}: ${String(error)}`, { cause: error });
  }
}

const rolesOf = (origin: Origin, server: Server, link: Link): Roles => ({
  ...server.roles,
  client: link.pids,
  upstream: origin.pids,
});

async function checkBodies(
  target: Target,
  origin: Origin,
  kind: OriginKind,
): Promise<void> {
  for (const [path, expected] of Object.entries(origin.files)) {
    const { status, body } = await ask(target, { path });
    if (status !== 200 || !body.equals(expected))
      throw new Error(`${path} came as ${status} with ${body.length} bytes`);
  }
  if (kind === "static") return;
  const body = randomBytes(1024 * 1024);
  const answer = await ask(target, {
    path: "/",
    body,
    headers: { "x-bench-hash": "1" },
  });
  const expected = `${body.length} bytes ${sha256(body)}`;
  if (answer.body.toString() !== expected)
    throw new Error(
      `an upload was answered ${answer.body.toString().slice(0, 200)}`,
    );
}
