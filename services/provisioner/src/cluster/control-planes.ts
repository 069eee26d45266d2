import type { Machine } from '@shoto/api';
import type { Memory } from '../memory.ts';
import { CONTROL_PLANE } from './pools.ts';
import { hasJoined, isLeaving } from './standing.ts';

/** A control-plane machine whose address is known. */
export interface Backend {
  machine: Machine;
  address: string;
  portId: string;
}

/**
 * The control-plane machines that stay and have a port, the oldest first. Their address is known before their server runs, so the first ones stand
 * behind the endpoint before they answer. Once the cluster runs only those that have joined, and whose server is not gone, get requests.
 *
 * @param initialized - the first control-plane machine is up
 */
export function backendsOf(machines: readonly Machine[], memory: Memory, initialized = false): Backend[] {
  const staying = machines.filter((m) => m.spec.pool === CONTROL_PLANE && !isLeaving(m));
  const serving = initialized ? staying.filter((m) => hasJoined(m) && m.status?.server?.state !== 'Gone') : [];
  // With none left that serves, an endpoint that leads nowhere would be no better.
  return (serving.length > 0 ? serving : staying)
    .flatMap((machine): Backend[] => {
      const port = memory.machine(machine.metadata.uid ?? '').port;
      const server = machine.status?.server;
      const address = port?.address ?? server?.addresses?.[0];
      const portId = port?.id ?? server?.portId;
      return address && portId ? [{ machine, address, portId }] : [];
    })
    .sort((a, b) => {
      const [x, y] = [a, b].map((s) => `${s.machine.metadata.creationTimestamp}/${s.machine.metadata.name}`) as [
        string,
        string,
      ];
      return x < y ? -1 : 1;
    });
}
