// What happens to clients: they are killed and others come in their place, or they lose their connection and come back.
import { once } from "node:events";
import type { Session } from "@expose/client";
import { stop } from "../harness/processes.ts";
import { startRelay } from "../harness/relay.ts";
import type { World } from "../harness/worlds.ts";
import { startClient } from "../soak/clients.ts";

/** What happens to a client. */
export interface Disaster {
  /** Resolves when its tunnels are open again. */
  strike(): Promise<void>;
  /** Ends whoever has come instead. */
  over(): Promise<void>;
}

/** A tunnel that the client has. */
export type TunnelPlan = { readonly port: number; readonly name: string };

/** Starts a client that is killed; then another one of the same identity comes. */
export async function startDoomed(
  world: World,
  tunnels: readonly TunnelPlan[],
): Promise<Disaster> {
  const client = await startClient([{ session: world.session(), tunnels }]);
  let next: Session | undefined;
  return {
    async strike() {
      await stop(client);
      next = await world.openSession({ watchRequests: false });
      await Promise.all(tunnels.map((tunnel) => next!.open(tunnel)));
    },
    async over() {
      await stop(client);
      await next?.close();
    },
  };
}

/** Starts a client whose connection is reset; it comes back by itself. */
export async function startCuttable(
  world: World,
  tunnels: readonly TunnelPlan[],
): Promise<Disaster> {
  const [user, address] = world.server.split("@") as [string, string];
  const port = Number(address.split(":")[1]);
  const relay = await startRelay({ host: "127.0.0.1", port });
  const session = await world.openSession({
    watchRequests: false,
    server: `${user}@127.0.0.1:${relay.port}`,
  });
  await Promise.all(tunnels.map((tunnel) => session.open(tunnel)));
  return {
    async strike() {
      const back = once(session, "reconnected");
      relay.reset();
      await back;
    },
    async over() {
      await session.close();
      await relay.close();
    },
  };
}
