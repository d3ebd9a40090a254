// What a Node process has in use on its heap, without what the next garbage collection would free.
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { WebSocket } from "ws";

// Where a Node process listens for a debugger that is not told otherwise.
const INSPECTOR = "http://127.0.0.1:9229/json/list";
const TRIES = 100;
const RETRY_MS = 50;

/**
 * Asks a process as it is shipped, by the door that SIGUSR1 opens in every Node process, and closes the door again. One
 * at a time.
 *
 * @returns bytes of objects and of the buffers that they hold
 */
export async function usedHeap(pid: number): Promise<number> {
  process.kill(pid, "SIGUSR1");
  const socket = new WebSocket(await findDebugger());
  await once(socket, "open");
  let id = 0;
  const ask = async (method: string, params = {}): Promise<unknown> => {
    const asked = ++id;
    socket.send(JSON.stringify({ id: asked, method, params }));
    for (;;) {
      const [data] = (await once(socket, "message")) as [Buffer];
      const answer = JSON.parse(String(data)) as {
        id?: number;
        result?: unknown;
      };
      if (answer.id === asked) return answer.result;
    }
  };
  // What one collection finds, another one frees.
  for (let i = 0; i < 3; i++) await ask("HeapProfiler.collectGarbage");
  const usage = (await ask("Runtime.evaluate", {
    expression:
      "(({ heapUsed, arrayBuffers }) => heapUsed + arrayBuffers)(process.memoryUsage())",
  })) as { result: { value: number } };
  const closed = once(socket, "close");
  socket.send(
    JSON.stringify({
      id: ++id,
      method: "Runtime.evaluate",
      params: {
        expression:
          "setTimeout(() => process.getBuiltinModule('node:inspector').close())",
      },
    }),
  );
  await closed;
  return usage.result.value;
}

async function findDebugger(): Promise<string> {
  for (let tries = 0; ; tries++) {
    try {
      const list = (await (await fetch(INSPECTOR)).json()) as {
        webSocketDebuggerUrl: string;
      }[];
      return list[0]!.webSocketDebuggerUrl;
    } catch (error) {
      if (tries >= TRIES) throw error;
      await sleep(RETRY_MS);
    }
  }
}
