// Tunnels of others.
import type { Setup } from "../model.ts";

export const peers: readonly Setup[] = [];
