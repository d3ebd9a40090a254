// A bug that one request meets must not end the process, and with it everybody's tunnels.
import type { Engine } from "./engine.ts";

/** Does a step. What it throws is told to `onBug`, and the edge goes on. */
export function guarded(engine: Engine, step: () => void): void {
  try {
    step();
  } catch (error) {
    engine.onBug(error);
  }
}
