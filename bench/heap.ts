import { readFileSync } from 'node:fs';
import { until } from '../e2e/poll.ts';

/** What a process must be started with for {@link heapUsed}: a free port for its debugger. */
export const CAN_BE_LOOKED_INTO = '--inspect-port=127.0.0.1:0';
const OPENS_WITHIN_MS = 30_000;

/**
 * Bytes that a Node process holds on V8's heap after a garbage collection: what it needs, and not what it may yet throw away. Its debugger is opened
 * (SIGUSR1) and asked (Chrome DevTools Protocol).
 *
 * @param logFile - where its stderr goes: there it says the debugger's address
 * @throws Error when no debugger opens within 30 s
 */
export async function heapUsed(pid: number, logFile: string): Promise<number> {
  process.kill(pid, 'SIGUSR1');
  const socket = new WebSocket(await debuggerOf(logFile));
  await new Promise((resolve, reject) => {
    socket.onopen = resolve;
    socket.onerror = () => reject(new Error(`the debugger of process ${pid} does not answer`));
  });
  try {
    let id = 0;
    const ask = (method: string): Promise<{ usedSize?: number }> => {
      const mine = ++id;
      socket.send(JSON.stringify({ id: mine, method }));
      return new Promise((resolve) => {
        socket.addEventListener('message', ({ data }) => {
          const said = JSON.parse(String(data)) as { id?: number; result?: { usedSize?: number } };
          if (said.id === mine) resolve(said.result ?? {});
        });
      });
    };
    // What finalizers let go is free after the second only.
    for (let n = 0; n < 3; n++) await ask('HeapProfiler.collectGarbage');
    const { usedSize } = await ask('Runtime.getHeapUsage');
    if (usedSize === undefined) throw new Error(`process ${pid} does not say how large its heap is`);
    return usedSize;
  } finally {
    socket.close();
  }
}

/** Address that the newest debugger of a process said. */
const debuggerOf = (logFile: string): Promise<string> =>
  until(
    `${logFile} says where the debugger listens`,
    async () => [...readFileSync(logFile, 'utf8').matchAll(/^Debugger listening on (ws:\S+)$/gm)].at(-1)?.[1],
    OPENS_WITHIN_MS,
    100,
  );
